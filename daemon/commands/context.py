"""What every command is given: where its configuration is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from daemon.config import Loaded, Settings, find_config, load


@dataclass
class Context:
    """The command line's options for all commands. `option` is what ``--config`` names."""

    option: Path | None = None

    @cached_property
    def loaded(self) -> Loaded:
        """Return the configuration, read at its first use. Raises ConfigError."""
        return load(find_config(str(self.option) if self.option else None, os.environ), os.environ)

    def load(self) -> Loaded:
        """Return the configuration. Raises ConfigError."""
        return self.loaded

    def settings(self) -> Settings:
        """Return the settings. Raises ConfigError."""
        return self.loaded.settings
