"""What ``import operando`` offers: open a raw file, reconstruct a scan, load results, show them."""

from pathlib import Path
from typing import Any

import xarray as xr


def open(path: str | Path, **options: Any) -> xr.Dataset:
    """Open any known raw file lazily.

    ``options`` are those of ``model.reading.ReadOptions``, for example ``time_zone="Europe/Berlin"``. Without a
    time zone a file that needs one has no absolute times.

    Raises ``UnknownFormatError`` or ``BrokenFileError``, each with one sentence.
    """
    from operando.formats import catalogue
    from operando.model.reading import ReadOptions

    return catalogue.open_raw(Path(path), ReadOptions(**({"require_time": False} | options)))


def reconstruct(scan: xr.Dataset, centre: float | str = "auto", **options: Any) -> xr.DataArray:
    """Reconstruct an opened scan: attenuation (z, y, x) in 1/cm, or 1/pixel where no pixel size is known.

    ``options``: ``rows`` (a slice of detector rows), ``filter`` (ramp, shepp-logan, …), ``pixel_size_um``.
    The centre of rotation that was used is in ``attrs["centre_px"]``.
    """
    from operando.pipeline.unpack import unpacked_meanwhile
    from operando.tomography.scan import reconstruct_scan

    with unpacked_meanwhile(scan) as readable:
        volume, found, std = reconstruct_scan(readable, centre=centre, **options)
    return volume.assign_attrs(centre_px=found, centre_px_std=std)


def load(folder: str | Path) -> xr.DataTree:
    """Results of an experiment's folder as an ``xarray.DataTree``: a node a product, volumes lazy."""
    from operando.pipeline import store

    return store.load(Path(folder))


def show(folder: str | Path) -> Any:
    """The linked viewer as a notebook widget."""
    from operando.viewer.notebook import show as open_widget

    return open_widget(Path(folder))
