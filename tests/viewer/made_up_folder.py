"""A results folder with the made-up experiment of the figures' tests in it, written the way the pipeline writes."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from operando.pipeline import arrays, codec, digest, display
from operando.pipeline.index import LAYOUT, Entry, Index
from operando.pipeline.steps import known_steps
from operando.pipeline.store import Results


def _load(name: str) -> ModuleType:
    path = Path(__file__).parents[1] / "figures" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made_up = _load("made_up")

WHOLE = (
    "curve",
    "protocol",
    "cycles",
    "resistances",
    "motions",
    "centres",
    "pairs",
    "balance",
    "events",
    "calibration",
)
OF_SCAN = ("interface", "phase_volumes", "tracks")
OF_SPECTRUM = ("corrected", "lines", "lattice")


def write(folder: Path, scans: list[int], *, small: bool = True) -> Results:
    """Write products of the made-up experiment's ``scans``; with ``small`` only every fourth spectrum."""
    hours, spectrum_hours = made_up.scan_hours()[scans], made_up.spectrum_hours()[:: 4 if small else 1]
    keys = {
        "scan": [f"raw/tomo/scan_{i:04d}.nxs" for i in range(len(scans))],
        "spectrum": [f"raw/edd/spectrum_{i:04d}.med" for i in range(len(spectrum_hours))],
        "record": ["raw/echem/cell.csv"],
        "pair": [],
    }
    results = folder / "results"
    (results / "volumes").mkdir(parents=True, exist_ok=True)
    codec.write_bytes((json.dumps({"layout": LAYOUT}) + "\n").encode(), results / "index.jsonl")
    codec.write_bytes(json.dumps(keys).encode(), results / "frames.json")
    index = Index(results)
    for name in WHOLE:
        product = getattr(made_up, name)()
        if name in {"motions", "centres"}:
            product = renumbered(product.isel(scan=scans), "scan")
        if name == "motions":  # the made-up volumes lie on the first scan's grid already
            product = product.assign({key: product[key] * 0 for key in ("translation", "rotation")})
        add(index, name, "", product)
    add(index, "scan_timeline", "", renumbered(made_up.scan_timeline(True).isel(scan=scans), "scan"))
    spectra = made_up.spectrum_timeline(True).isel(spectrum=slice(None, None, 4 if small else 1))
    add(index, "spectrum_timeline", "", renumbered(spectra, "spectrum"))
    for number, hour in enumerate(hours):
        add_scan(index, keys["scan"][number], float(hour), number)
    for number, hour in enumerate(spectrum_hours):
        for name in OF_SPECTRUM:
            seeded = (number,)
            add(index, name, keys["spectrum"][number], getattr(made_up, name)(float(hour), *seeded))
    summary: dict[str, Any] = made_up.summary(True, True, True)
    codec.write_bytes(json.dumps(summary).encode(), results / "summary.json")
    found = Results(folder)
    display.write_display(found)
    return found


def renumbered(table: xr.Dataset, dim: str) -> xr.Dataset:
    return table.assign_coords({dim: np.arange(table.sizes[dim])})


def add_scan(index: Index, key: str, hour: float, seed: int) -> None:
    """Add all products of one scan."""
    add_big(index, "volume", key, made_up.volume(hour, seed))
    add_big(index, "trust", key, made_up.trust())
    add_big(index, "labels", key, made_up.labels(hour))
    for name in OF_SCAN:
        add(index, name, key, getattr(made_up, name)(hour))


def add(index: Index, name: str, key: str, product: xr.Dataset) -> None:
    """Add a small product under the step that makes it."""
    content = digest.of_content(product)
    path = index.path.parent / "frames" / name / f"{content[:16]}.npz"
    codec.write(product, path)
    _append(index, name, key, content, {"path": str(path.relative_to(index.path.parent)), "content": content})


def add_big(index: Index, name: str, key: str, product: xr.Dataset) -> None:
    """Add a volume-like product as arrays."""
    identity = digest.of_object([name, key, float(next(iter(product.data_vars.values())).values.astype(float).sum())])
    path = index.path.parent / "volumes" / f"{Path(key).stem}.{name}.{identity[:8]}.ome.zarr"
    dim = "z_coarse" if name == "trust" else "z"
    values = (-50.0, 50.0) if name == "volume" else None
    layout = arrays.Layout(product.sizes[dim], -(-product.sizes[dim] // 8) * 8, dim, values)
    arrays.create(path, product, layout, identity)
    arrays.write_slab(path, 0, product, layout)
    _append(index, name, key, identity, {"path": str(path.relative_to(index.path.parent)), "content": None})


def _append(index: Index, name: str, key: str, identity: str, about: dict[str, Any]) -> None:
    makers = [step for step in known_steps().values() if any(output.name == name for output in step.outputs)]
    step = f"{makers[0].name}" if makers else name
    old = index.get(step, key)
    products = dict(old.products) if old else {}
    index.append(Entry(step, key, identity, {}, products | {name: about}))
