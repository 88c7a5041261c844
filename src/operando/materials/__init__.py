"""Phases and container materials: one file each, with structure, density and source."""
