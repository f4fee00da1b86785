"""The HTTP server: webhook, API, page."""
