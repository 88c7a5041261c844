"""The entries of summary.json, each from its product. NaN, NaT, −1 and "" become ``null``."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from operando.joint.pairs import ALL, NULL_TEST
from operando.model.clock import to_text
from operando.model.interval import Quantity, from_std

Entry = dict[str, Any]
Frames = Mapping[int, xr.Dataset]


class Looked(Mapping[int, xr.Dataset]):
    """Datasets by number, each made when it is asked for: of thousands at once one would hold little but overhead."""

    def __init__(self, places: dict[int, int], look: Callable[[int], xr.Dataset]) -> None:
        self._places, self._look = places, look

    def __getitem__(self, number: int) -> xr.Dataset:
        return self._look(self._places[number])

    def __contains__(self, number: object) -> bool:
        return number in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def by_frame(series: Sequence[xr.Dataset] | None) -> Frames:
    """Products of a series by the number of their frame."""
    found = series or ()
    return Looked({int(one.attrs.get("frame", k)): k for k, one in enumerate(found)}, found.__getitem__)


def number(value: Any) -> float | None:
    """A finite number or ``None``."""
    return float(value) if math.isfinite(float(value)) else None


def index(value: Any) -> int | None:
    """A number of a cycle or ``None``: −1 stands for unknown."""
    return int(value) if math.isfinite(float(value)) and int(value) >= 0 else None


def instant(value: Any) -> str | None:
    """A time with Z, or ``None``."""
    return to_text(np.datetime64(value, "ns"))


def bounded(dataset: xr.Dataset, name: str, unit: str) -> Entry | None:
    """A variable without dimensions and its bounds as a quantity; ``None`` where any part is unknown."""
    if name not in dataset:
        return None
    value, low, high = (float(dataset[name + suffix]) for suffix in ("", "_low", "_high"))
    return Quantity(value, low, high, unit).as_json()


def normal(dataset: xr.Dataset, name: str, unit: str) -> Entry | None:
    """A variable without dimensions and its standard deviation as a quantity."""
    if name not in dataset:
        return None
    return from_std(float(dataset[name]), float(dataset[f"{name}_std"]), unit).as_json()


def scans(
    timeline: xr.Dataset | None,
    centres: xr.Dataset | None,
    phase_volumes: Frames,
    interfaces: Frames,
    tracks: Frames,
) -> list[Entry]:
    """One entry a scan that has any result; scans that are only dated count where no scan has more."""
    numbers = set(phase_volumes) | set(tracks) | set(interfaces)
    states, middles = _by_number(timeline, "scan"), _by_number(centres, "scan")
    entries = []
    for scan in sorted(numbers | set(middles) or set(states)):
        volumes, interface, lengths = phase_volumes.get(scan), interfaces.get(scan), tracks.get(scan)
        found = next((one for one in (volumes, interface, lengths) if one is not None), None)
        entry = {
            "index": scan,
            **_state(states.get(scan), found),
            "centre_px": normal(middles[scan], "centre", "px") if scan in middles else None,
            **_volumes(volumes),
            "contact_area_um2": bounded(interface, "contact_area", "um2") if interface is not None else None,
            "tracks": _tracks(lengths),
        }
        entries.append(entry)
    return entries


def _by_number(table: xr.Dataset | None, dim: str) -> Frames:
    if table is None:
        return {}
    numbers = table[dim].values if dim in table.coords else np.arange(table.sizes[dim])
    places = {int(value): place for place, value in enumerate(numbers)}
    return Looked(places, lambda place: table.isel({dim: place}))


def _state(state: xr.Dataset | None, found: xr.Dataset | None) -> Entry:
    if state is None:
        file = "" if found is None else str(found.attrs.get("file", ""))
        return {"file": file, "start": None, "end": None, "cycle": None, "step": None, "charge_mAh": None}
    return {
        "file": str(state["file"].values),
        "start": instant(state["start"].values),
        "end": instant(state["end"].values),
        "cycle": index(state["cycle"]),
        "step": str(state["step_kind"].values) or None,
        "charge_mAh": number(state["charge"]),
    }


def _volumes(volumes: xr.Dataset | None) -> Entry:
    if volumes is None:
        return {"phase_volume_um3": {}, "untrusted_volume_um3": None, "untrusted_rows": []}
    rows = np.asarray(volumes["untrusted_rows"].values).astype(int).tolist()
    return {
        "phase_volume_um3": {
            str(phase): bounded(volumes.isel(phase=k), "volume", "um3")
            for k, phase in enumerate(volumes["phase"].values)
        },
        "untrusted_volume_um3": bounded(volumes, "untrusted_volume", "um3"),
        "untrusted_rows": rows,
    }


def _tracks(tracks: xr.Dataset | None) -> Entry:
    if tracks is None:
        return {}
    return {str(name): bounded(tracks.isel(track=k), "length", "um") for k, name in enumerate(tracks["track"].values)}


def spectra(
    timeline: xr.Dataset | None,
    lines: Frames,
    lattices: Frames,
    refined: xr.Dataset | None = None,
    shares: xr.Dataset | None = None,
) -> list[Entry]:
    """One entry a spectrum that has any result; spectra that are only dated count where none has more.

    Lattices are those of the series refined at once; a spectrum's own fit stands where the series has none.
    """
    states, together = _by_number(timeline, "spectrum"), _by_number(refined, "spectrum")
    mixtures = _phase_shares(shares)
    entries = []
    for spectrum in sorted(set(lines) | set(lattices) or set(states)):
        state = states.get(spectrum)
        file, start, end, charge = "", None, None, None
        if state is not None:
            file, charge = str(state["file"].values), number(state["charge"])
            start, end = instant(state["start"].values), instant(state["end"].values)
        else:
            file = str((lines if spectrum in lines else lattices)[spectrum].attrs.get("file", ""))
        entries.append({
            "index": spectrum,
            "file": file,
            "time": start,
            "start": start,
            "end": end,
            "charge_mAh": charge,
            "lines": _lines(lines.get(spectrum)),
            "lattice": _lattice(lattices.get(spectrum), together.get(spectrum)),
            **mixtures.get(spectrum, {}),
        })  # fmt: skip
    return entries


def _phase_shares(shares: xr.Dataset | None) -> dict[int, Entry]:
    """Shares of volume and mass of the phases that lie together, by spectrum; nothing where none is known at all."""
    if shares is None:
        return {}
    compared = np.flatnonzero(np.isfinite(shares["volume_share"].values).any(axis=0))
    return {
        spectrum: {
            "phase_shares": {
                str(shares["phase"].values[k]): {
                    "volume": bounded(row.isel(phase=k), "volume_share", "1"),
                    "mass": bounded(row.isel(phase=k), "mass_share", "1"),
                }
                for k in compared
            }
        }
        for spectrum, row in _by_number(shares, "spectrum").items()
        if len(compared)
    }


def phase_share_assumptions(shares: xr.Dataset | None) -> Entry:
    """What the shares of the phases rest on, in sentences; nothing where there are none."""
    if shares is None or not np.isfinite(shares["volume_share"].values).any():
        return {}
    return {"phase_share_assumptions": [str(text) for text in shares.attrs.get("assumptions", ())]}


def _lines(lines: xr.Dataset | None) -> list[Entry]:
    if lines is None:
        return []
    entries = []
    for k in range(lines.sizes["line"]):
        line = lines.isel(line=k)
        element = index(line["element"]) if "element" in line.coords else None
        entries.append({
            "phase": str(line["phase"].values),
            "hkl": [int(line[axis]) for axis in ("h", "k", "l")],
            "element": element,
            "d_angstrom": normal(line, "d", "angstrom"),
            "area": normal(line, "area", "count"),
            "d_free_angstrom": normal(line, "d_free", "angstrom"),
        })  # fmt: skip
    return entries


def _lattice(lattice: xr.Dataset | None, refined: xr.Dataset | None) -> Entry:
    """Edges a, b, c of every phase; an edge that equals an earlier one is not repeated."""
    if lattice is None:
        return {}
    entries: Entry = {}
    series = _edges(refined)
    for k, phase in enumerate(lattice["phase"].values):
        cell, std = lattice["cell"].values[k], lattice["cell_std"].values[k]
        names = ["a", *(name for name, length in zip("bc", cell[1:], strict=True) if _differs(length, cell[0]))]
        alone = {name: (float(cell["abc".index(name)]), float(std["abc".index(name)])) for name in names}
        entries[str(phase)] = {
            f"{name}_angstrom": from_std(*series.get(f"{phase} {name}", alone[name]), "angstrom").as_json()
            for name in names
        }
    return entries


def _edges(refined: xr.Dataset | None) -> dict[str, tuple[float, float]]:
    """Length and standard deviation of every edge that the series knows in this spectrum, as "InLi a"."""
    if refined is None:
        return {}
    rows = zip(refined["edge"].values, refined["cell"].values, refined["cell_std"].values, strict=True)
    return {str(edge): (float(length), float(std)) for edge, length, std in rows if math.isfinite(length + std)}


def _differs(length: float, first: float) -> bool:
    return bool(np.isfinite(length) and abs(length - first) > 1e-9 * abs(first))


def cycles(table: xr.Dataset | None) -> list[Entry]:
    """One entry a full cycle."""
    return [
        {
            "cycle": cycle,
            "c_rate": number(row["c_rate"]),
            "charge_mAh": normal(row, "charge", "mAh"),
            "discharge_mAh": normal(row, "discharge", "mAh"),
            "coulombic_efficiency": normal(row, "coulombic_efficiency", "1"),
            "resistance_ohm": normal(row, "resistance", "ohm"),
        }
        for cycle, row in sorted(_by_number(table, "cycle").items())
    ]


def volume_balance(table: xr.Dataset | None) -> list[Entry]:
    """One entry a step of the protocol, and the last one from first to last scan."""
    rows = [_balance(row) for row in _rows(table) if str(row["step"].values) not in {NULL_TEST, ALL}]
    return rows + [_balance(row) for row in _rows(table) if str(row["step"].values) == ALL]


def null_test(table: xr.Dataset | None) -> Entry:
    """The entry of the null test, under its own key; nothing if there was none."""
    tests = [_balance(row) for row in _rows(table) if str(row["step"].values) == NULL_TEST]
    return {"null_test": tests[0]} if tests else {}


def _rows(table: xr.Dataset | None) -> Iterable[xr.Dataset]:
    return () if table is None else [table.isel(pair=k) for k in range(table.sizes["pair"])]


def _balance(row: xr.Dataset) -> Entry:
    reactions = row["reaction"].values
    return {
        "cycle": index(row["cycle"]),
        "step": str(row["step"].values),
        "from_scan": int(row["from_scan"]),
        "to_scan": int(row["to_scan"]),
        "charge_mAh": bounded(row, "charge", "mAh"),
        "morphological_um3": bounded(row, "morphological", "um3"),
        "gross_gain_um3": bounded(row, "gain", "um3"),
        "gross_loss_um3": bounded(row, "loss", "um3"),
        "unaccounted_um3": bounded(row, "unaccounted", "um3"),
        "cavity_change_um3": bounded(row, "cavity_change", "um3"),
        "side_reaction_share": bounded(row, "side_share", "1"),
        "candidates": [
            {
                "reaction": str(reaction),
                "volume_cm3_per_mol": normal(row.isel(reaction=k), "molar_volume", "cm3/mol"),
                "electrochemical_um3": bounded(row.isel(reaction=k), "electrochemical", "um3"),
                "ratio": bounded(row.isel(reaction=k), "ratio", "1"),
            }
            for k, reaction in enumerate(reactions)
        ],
    }


def causes(table: xr.Dataset | None) -> list[Entry]:
    """The verdicts as diffraction wrote them."""
    if table is None:
        return []
    return [json.loads(str(text)) for text in table["verdict"].values]


def events(table: xr.Dataset | None) -> list[Entry]:
    """One entry an event, in order of time."""
    if table is None:
        return []
    entries = [
        {
            "time": instant(row["time"].values),
            "low": instant(row["low"].values),
            "high": instant(row["high"].values),
            "charge_mAh": bounded(row, "charge", "mAh"),
            "kind": str(row["kind"].values),
            "text": str(row["text"].values),
        }
        for row in (table.isel(event=k) for k in range(table.sizes["event"]))
    ]
    return sorted((entry for entry in entries if entry["time"]), key=lambda entry: entry["time"])


def event_order(table: xr.Dataset | None) -> Entry:
    """For every two events the probability that the first came before the second, by their kinds and texts."""
    if table is None or not table.sizes["event"]:
        return {}
    texts = [str(text) for text in table["text"].values]
    kinds = [str(kind) for kind in table["kind"].values]
    return {
        "event_order": [
            {
                "first": kinds[int(pair["first"])],
                "second": kinds[int(pair["second"])],
                "probability": float(pair["probability"]),
                "text": f"{texts[int(pair['first'])]} Before: {texts[int(pair['second'])]}",
            }
            for pair in json.loads(table.attrs.get("order", "[]"))
        ]
    }


def conclusion(product: xr.Dataset | None) -> Entry:
    """Sentences, the phases at equilibrium and the share of the charge that made no volume."""
    if product is None:
        return {}
    return {
        "conclusion": [str(text) for text in product["text"].values],
        "equilibrium_phases": [
            {"phase": str(phase), "host_share": number(share)}
            for phase, share in zip(product["phase"].values, product["amount"].values, strict=True)
        ],
        "side_reaction_share": bounded(product, "side_share", "1"),
    }


def clock_check(product: xr.Dataset | None) -> Entry:
    """Offset at which each instrument would fit the charge best; never applied."""
    if product is None or not product.sizes["instrument"]:
        return {}
    return {
        "clock_check": {
            str(name): bounded(product.isel(instrument=k), "best", "s")
            for k, name in enumerate(product["instrument"].values)
        }
    }


def contact(product: xr.Dataset | None) -> Entry:
    """Exponent of resistance against contact area."""
    return {} if product is None else {"resistance_contact_exponent": bounded(product, "exponent", "1")}
