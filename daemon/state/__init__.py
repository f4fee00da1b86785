"""What outlives a crash: rows in SQLite."""
