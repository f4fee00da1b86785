"""Who wants what: each source reads one thing and says which demands follow from it."""
