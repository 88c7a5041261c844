"""Writers of raw formats, the twin's own: they share no code with the readers."""
