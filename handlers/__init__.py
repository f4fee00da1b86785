"""What reacts to events: pure functions over model types."""
