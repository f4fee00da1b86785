"""A simulated Plex server: one state behind every interface, with faults that can be switched on."""
