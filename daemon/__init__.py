"""ondeckd: keeps what people watch on Plex, and are about to watch, on fast storage."""

__version__ = "0.1.0"
