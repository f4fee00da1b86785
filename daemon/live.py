"""What a reload swaps: the settings and what is built from them."""

from __future__ import annotations

from daemon.config import Settings
from daemon.storage.paths import Mappings


class Live:
    """The settings in force. Whoever needs a setting reads it here at the moment of need."""

    def __init__(self, settings: Settings) -> None:
        self.swap(settings)

    def swap(self, settings: Settings) -> None:
        """Put a validated configuration into force."""
        self.settings = settings
        self.mappings = Mappings(settings.mapping)
