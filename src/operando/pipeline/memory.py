"""How much memory a task may take, how many rows that is, and how many workers it feeds."""

from collections.abc import Iterable

import xarray as xr

from operando.model.errors import OperandoError
from operando.model.step import Cut
from operando.pipeline import raw
from operando.pipeline.executor import available_memory_bytes, default_workers
from operando.pipeline.expression import slab_dim

PROCESS_BYTES = 200_000_000
"""A process before its first task: Python, its libraries, compiled kernels (measured: 160 to 180 MB)."""
LEAST_ROWS = 8


def granted(memory_bytes: int | None) -> int:
    """What a run may take in all: as asked for, else half of what the machine allows."""
    return memory_bytes or available_memory_bytes() // 2


def share(memory_bytes: int, slots: int) -> int:
    """What one task may take when ``slots`` run at a time, each in a process of its own, beside the coordinator."""
    return max(0, (memory_bytes - PROCESS_BYTES * (slots + 1)) // slots)


def row_elements(product: xr.Dataset, dim: str) -> float:
    """Elements that count for one row of a product's largest variable: a slice is as wide as its sinogram.

    >>> counts = xr.DataArray([[[0, 1, 2]] * 2], dims=("frame", "row", "column"))
    >>> row_elements(counts.to_dataset(name="counts"), "row")
    9.0
    """
    biggest = max(product.data_vars.values(), key=lambda variable: variable.size)
    sizes = [size for name, size in biggest.sizes.items() if name != dim]
    return float(sizes[-1] * max(sizes)) if sizes else 0.0


def bytes_for(cut: Cut, elements: float, rows: int) -> float:
    """Memory that a step takes for a slab of ``rows``."""
    return elements * (cut.fixed_bytes + cut.working_bytes * (rows + 2 * cut.halo))


def rows_for(cut: Cut, elements: float, memory_bytes: float) -> int:
    """Rows of a slab that fit; not above zero where none do."""
    return int((memory_bytes / max(elements, 1.0) - cut.fixed_bytes) / cut.working_bytes) - 2 * cut.halo


def least_bytes(found: raw.RawFiles, cuts: Iterable[Cut]) -> float:
    """What the lowest slab of the largest file takes in the hungriest of these steps."""
    elements = _largest(found)
    return max((bytes_for(cut, elements, LEAST_ROWS) for cut in cuts), default=0.0)


def _largest(found: raw.RawFiles) -> float:
    """Elements a row of the largest scan or volume; 0 where there is none or it can't be opened."""
    frames = [frame for product in raw.READ_IN_PIECES for frame in found.of(product)]
    if not frames:
        return 0.0
    try:
        product = raw.open_frame(max(frames, key=lambda frame: frame.path.stat().st_size))
    except (OSError, OperandoError):
        return 0.0
    dim = slab_dim(product)
    return row_elements(product, dim) if dim else 0.0


def workers_for(memory_bytes: int, least: float) -> int:
    """As many local workers as get enough memory for their lowest slabs, at least one, at most as by default."""
    fed = (memory_bytes - PROCESS_BYTES) // (least + PROCESS_BYTES)
    return int(max(1, min(default_workers(), fed)))


def too_little(memory_bytes: int, slots: int, least: float) -> list[str]:
    """A sentence where so many workers need more than was granted."""
    if share(memory_bytes, slots) >= least:
        return []
    need = PROCESS_BYTES + slots * (least + PROCESS_BYTES)
    workers, more = ("1 worker takes", "more") if slots == 1 else (f"{slots} workers take", "fewer --workers or more")
    return [
        f"{workers} {need / 1e9:.2g} GB for the lowest slabs of the largest scan, more than the "
        f"{memory_bytes / 1e9:.2g} GB granted; give {more} --memory"
    ]
