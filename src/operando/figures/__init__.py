"""Publication figures, the movie and the report."""
