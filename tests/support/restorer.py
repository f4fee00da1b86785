"""``ondeckd restore --offline``, killed just before the n-th change that it makes to a disk.

``python -m tests.support.restorer CONFIG N``. Its exit code is 99 then, and the command's own if there is no n-th.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from daemon.cli import cli
from daemon.storage import linux
from tests.support.files import CHANGES

KILLED = 99


def main(config: str, nth: int) -> None:
    """Run the command; every function that changes a disk counts."""
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                os._exit(KILLED)
            return function(*args, **kwargs)

        return called

    for name in (*CHANGES, "symlink"):
        setattr(os, name, counted(getattr(os, name)))
    for name in ("exchange", "rename_new"):
        setattr(linux, name, counted(getattr(linux, name)))
    cli(["--config", config, "restore", "--offline"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
