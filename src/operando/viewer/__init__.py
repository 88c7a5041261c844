"""The linked viewer: a small read-only server and its page."""
