"""From volumes to what grew, what opened and what lost contact."""
