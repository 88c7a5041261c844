"""What the page needs first: the scans and spectra on their clock, the images, phases and events."""

from typing import Any

import xarray as xr

from operando.model.errors import OperandoError
from operando.pipeline.display import Image, box_factor
from operando.pipeline.store import Results
from operando.viewer.packing import plain
from operando.viewer.reader import Reader

OF_EXPOSURE = ("charge", "voltage", "current", "cycle")


def overview(reader: Reader) -> dict[str, Any]:
    """The first document, in JSON's terms; times in milliseconds since 1970, ``None`` for what is not known."""
    results = reader.results
    return {
        "title": _title(results),
        "revision": reader.revision,
        "scans": _frames(results, "scan"),
        "spectra": _frames(results, "spectrum"),
        "images": {name: {scan: _image(one) for scan, one in scans.items()} for name, scans in reader.images.items()},
        "phases": phases(results),
        "tracks": _tracks(results),
        "events": _events(results),
        "steps": _steps(results),
        "products": results.names(),
        "live": reader.live(),
    }


def _title(results: Results) -> str:
    try:
        return results.title
    except OperandoError:  # a run that has not come to its end yet
        return results.folder.resolve().name


def _frames(results: Results, kind: Any) -> list[dict[str, Any]]:
    """One entry a raw frame, with what the timeline says of it."""
    entries: list[dict[str, Any]] = [
        {"index": number, "file": key, "start": None, "end": None, "step": "", **dict.fromkeys(OF_EXPOSURE)}
        for number, key in enumerate(results.keys(kind))
    ]
    table = results.table(f"{kind}_timeline")
    if table is None:
        return entries
    columns = {name: plain(table[name].values) for name in ("start", "end", *OF_EXPOSURE)}
    for place, number in enumerate(table[kind].values.tolist() if kind in table.coords else range(table.sizes[kind])):
        if 0 <= number < len(entries):
            entries[number].update({name: column[place] for name, column in columns.items()})
            entries[number]["step"] = str(table["step_kind"].values[place])
    return entries


def _image(image: Image) -> dict[str, Any]:
    """Where an image's planes are found and what their bytes mean."""
    return {
        "key": image.key,
        "shape": image.shape,
        "spacing": image.spacing_um,
        "origin": image.origin_um,
        "low": image.low,
        "high": image.high,
        "unit": image.unit,
        "moved": image.moved,
        "planes": image.planes,
        "box": box_factor(image.shape),
    }


def phases(results: Results) -> list[str]:
    """Names of the labels 1, 2, …"""
    frames = results.frames("labels")
    labels = results.labels(frames[0]) if frames else None
    if labels is not None and "phases" in labels.attrs:
        return [str(name) for name in labels.attrs["phases"]]
    volumes = results.table("phase_volumes")
    return [str(name) for name in volumes["phase"].values] if volumes is not None else []


def _tracks(results: Results) -> list[dict[str, Any]]:
    """Where the tracked features lie, a position (z, y, x in µm) a scan."""
    table = results.table("tracks")
    if table is None or table.sizes.get("track", 0) == 0:
        return []
    position = table["position"].values
    return [
        {
            "name": str(name),
            "positions": {int(s): plain(position[n, k]) for n, s in enumerate(table["scan"].values)},
        }
        for k, name in enumerate(table["track"].values)
    ]


def _events(results: Results) -> list[dict[str, Any]]:
    table = results.table("events")
    if table is None:
        return []
    columns = {name: plain(table[name].values) for name in ("time", "low", "high")}
    return [
        {
            "kind": str(table["kind"].values[n]),
            "text": str(table["text"].values[n]),
            **{name: column[n] for name, column in columns.items()},
        }
        for n in range(table.sizes["event"])
    ]


def _steps(results: Results) -> list[dict[str, Any]]:
    """The protocol, for the shading behind the curves."""
    table: xr.Dataset | None = results.table("protocol")
    if table is None:
        return []
    start, end = plain(table["start"].values), plain(table["end"].values)
    return [
        {"kind": str(kind), "cycle": int(cycle), "start": start[n], "end": end[n]}
        for n, (kind, cycle) in enumerate(zip(table["kind"].values, table["cycle"].values, strict=True))
    ]
