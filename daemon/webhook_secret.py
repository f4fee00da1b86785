"""The webhook's secret: from the settings, or made once and kept in the state folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from daemon.config import Settings
from daemon.errors import StateError

NAME = "webhook-secret"
_SHOWN = "webhook-secret.shown"


def webhook_secret(settings: Settings, directory: Path) -> tuple[str, bool]:
    """Return the secret, and whether it was made just now. It is never logged; the file is the user's alone."""
    configured = settings.web.webhook_secret.get_secret_value()
    if configured:
        return configured, False
    path = directory / NAME
    try:
        if path.exists():
            return path.read_text().strip(), False
        (directory / _SHOWN).unlink(missing_ok=True)
        made = secrets.token_urlsafe(24)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:  # noqa: PTH123 - mode
            handle.write(made + "\n")
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    return made, True


def is_first_showing(directory: Path) -> bool:
    """Say whether the secret made in `directory` was never shown, and remember that it is shown now."""
    path = directory / _SHOWN
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    return True
