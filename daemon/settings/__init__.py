"""What the configuration is made of. The door to it is `daemon.config`."""
