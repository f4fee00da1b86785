"""Files: paths, copying, placement."""
