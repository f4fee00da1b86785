"""A simulated Plex server and a household that watches."""
