"""Publication figures, the movie and the report. The only room that knows matplotlib.

Figures take a ``Source``, a read-only view of the results, and return matplotlib figures; nothing here opens
the results folder.
"""

from operando.figures.catalogue import script
from operando.figures.saving import save

__all__ = ["save", "script"]
