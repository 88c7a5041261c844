"""What a figure may read: a read-only view of the results, given to it by the caller."""

from typing import Any, Protocol

import xarray as xr


class Source(Protocol):
    """The results of one experiment. Nothing here writes, and big arrays stay on disk until indexed."""

    @property
    def title(self) -> str:
        """Title of the experiment."""
        ...

    @property
    def summary(self) -> dict[str, Any]:
        """The object of summary.json."""
        ...

    def table(self, product: str) -> xr.Dataset | None:
        """One product of the whole experiment; a frame's product concatenated along ``scan``, ``spectrum`` or ``pair``.

        It stays lazy where it holds maps. The coordinate along that dimension holds the frame's index.
        ``None`` where there is no such product.
        """
        ...

    def product(self, name: str, frame: int) -> xr.Dataset | None:
        """One frame's product, lazily; ``None`` where it was not made or failed."""
        ...

    def frames(self, product: str) -> list[int]:
        """Indices of the frames that have this product, ascending."""
        ...

    def volume(self, scan: int) -> xr.Dataset | None:
        """The reconstructed volume of a scan, lazily: index it, then take ``.values``."""
        ...

    def labels(self, scan: int) -> xr.Dataset | None:
        """The labels of a scan in the first scan's frame, lazily."""
        ...

    def corrected(self, spectrum: int) -> xr.Dataset | None:
        """One corrected spectrum."""
        ...
