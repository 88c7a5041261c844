"""Panels that several figures share; each draws into given axes."""
