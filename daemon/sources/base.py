"""What a source is."""

from __future__ import annotations

from typing import Protocol

from daemon.model import DemandKind, Fetched, Person


class PersonalSource(Protocol):
    """Reads what one person wants. Stateless but for what saves requests (ETags)."""

    @property
    def kind(self) -> DemandKind:
        """The kind of all its demands."""

    async def fetch(self, person: Person) -> Fetched:
        """Return everything that the person wants by this kind, in demands with the person's id and no play.

        Raises PlexError or RemoteError where anything of it could not be read; then what was known stands.
        """


class CommonSource(Protocol):
    """Reads what concerns everybody. Its demands carry an empty user."""

    @property
    def kind(self) -> DemandKind:
        """The kind of all its demands."""

    async def fetch(self) -> Fetched:
        """Return all demands of this kind. Raises PlexError or RemoteError; then what was known stands."""
