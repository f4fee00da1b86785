"""What goes to the cache, what leaves it, and why."""
