"""Raw files: one module a format, each with ``sniff`` and ``read``."""
