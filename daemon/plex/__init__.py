"""Everything that speaks to Plex."""
