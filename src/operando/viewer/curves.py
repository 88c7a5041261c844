"""Curves over time: the cell's voltage and current, and every measured quantity with its 95 % interval."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from operando.figures.spectra import flat_lines, known_lines
from operando.model.constants import NORMAL_95
from operando.pipeline.store import Results
from operando.viewer.packing import pack, plain
from operando.viewer.reader import Reader

POINTS = 4000
"""Samples of the cell's record that are drawn at most; extremes of every stretch are kept."""
STRONG_LINES = 6


def cell(reader: Reader) -> bytes | None:
    """Time (s since 1970), voltage, current and charge; ``None`` without a cycler."""
    return reader.of_revision("cell", lambda: _cell(reader.results))


def _cell(results: Results) -> bytes | None:
    curve = results.table("curve")
    if curve is None or curve.sizes["sample"] == 0:
        return None
    kept = thinned(curve["voltage"].values, POINTS)
    time = curve["time"].values[kept].astype("datetime64[ns]").astype("int64") / 1e9
    arrays = {name: curve[name].values[kept].astype(np.float32) for name in ("voltage", "current", "charge")}
    return pack({"samples": curve.sizes["sample"]}, {"time": time, **arrays})


def thinned(values: np.ndarray, points: int) -> np.ndarray:
    """Indices of at most ``points`` samples: first, last, lowest and highest of every stretch.

    >>> thinned(np.array([0.0, 5.0, 1.0, 2.0, -1.0, 0.0, 0.0, 0.0]), 4).tolist()
    [0, 1, 4, 7]
    """
    if values.size <= points:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, points // 4 + 1).astype(int)
    chosen = {0, values.size - 1}
    for low, high in pairwise(edges):
        part = np.nan_to_num(values[low:high])
        chosen |= {int(low), int(high - 1), int(low + part.argmin()), int(low + part.argmax())}
    return np.array(sorted(chosen))


def curves(reader: Reader) -> list[dict[str, Any]]:
    """Groups of curves that share an axis: name, unit, and the series with value, low and high over frames."""
    return reader.of_revision("curves", lambda: list(_groups(reader.results)))


def _groups(results: Results) -> Iterator[dict[str, Any]]:
    yield from _phase_volumes(results)
    yield from _tracks(results)
    yield from _interface(results)
    yield from _lattice(results)
    yield from _lines(results)


def _group(name: str, unit: str, over: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "unit": unit, "over": over, "series": series}


def _series(name: str, frames: Any, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
    columns = {"value": value, "low": low, "high": high}
    return {"name": name, "frames": [int(f) for f in frames]} | {
        key: plain(np.asarray(column, float)) for key, column in columns.items()
    }


def _bounds(table: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, low and high, the 95 % interval."""
    value = table[name].values.astype(float)
    if f"{name}_low" in table:
        return value, table[f"{name}_low"].values, table[f"{name}_high"].values
    return _with_interval(value, table[f"{name}_std"].values)


def _with_interval(value: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return value, value - NORMAL_95 * std, value + NORMAL_95 * std


def _phase_volumes(results: Results) -> Iterator[dict[str, Any]]:
    table = results.table("phase_volumes")
    if table is None:
        return
    bounds = _bounds(table, "volume")
    for k, phase in enumerate(table["phase"].values):
        yield _group(
            f"Volume of {phase}", "µm³", "scan", [_series(str(phase), table["scan"].values, *(b[:, k] for b in bounds))]
        )


def _tracks(results: Results) -> Iterator[dict[str, Any]]:
    table = results.table("tracks")
    if table is None or table.sizes.get("track", 0) == 0:
        return
    bounds = _bounds(table, "length")
    scans = table["scan"].values
    series = [_series(str(name), scans, *(b[:, k] for b in bounds)) for k, name in enumerate(table["track"].values)]
    yield _group("Lengths", "µm", "scan", series)


INTERFACE = {
    "contact_area": ("Contact area", "µm²"),
    "contact_loss": ("Contact loss", ""),
    "cavity_volume": ("Cavity volume", "µm³"),
    "roughness": ("Roughness of the interface", "µm"),
}


def _interface(results: Results) -> Iterator[dict[str, Any]]:
    table = results.table("interface")
    for name, (title, unit) in INTERFACE.items():
        if table is not None and name in table:
            yield _group(title, unit, "scan", [_series(title, table["scan"].values, *_bounds(table, name))])


def _lattice(results: Results) -> Iterator[dict[str, Any]]:
    table = results.table("lattice")
    if table is None:
        return
    value, low, high = _bounds(table, "cell")
    for k, phase in enumerate(table["phase"].values):
        for e, edge in enumerate("abc"):
            if e and np.allclose(value[:, k, e], value[:, k, 0], equal_nan=True):
                continue
            numbers = (value[:, k, e], low[:, k, e], high[:, k, e])
            yield _group(f"{phase}: {edge}", "Å", "spectrum", [_series(str(phase), table["spectrum"].values, *numbers)])


def _lines(results: Results) -> Iterator[dict[str, Any]]:
    """The strongest lines: spacing from the joint fit beside the free single-line fit."""
    flat = flat_lines(results)
    if flat is None:
        return
    first = flat.whole()
    first = first.where(first.element == first.element.min())
    for line in known_lines(results)[:STRONG_LINES]:
        part = first.of(line.phase, line.hkl)
        series = [
            _series(title, part.spectrum, *_with_interval(part.columns[name], part.columns[f"{name}_std"]))
            for name, title in (("d", "joint fit"), ("d_free", "single line"))
            if name in part.columns
        ]
        yield _group(f"d of {line.label}", "Å", "spectrum", series)
