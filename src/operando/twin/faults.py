"""Faults on demand: what goes wrong at beamlines, done to finished files, for testing and teaching."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from operando.model.errors import ConfigurationError

Break = Callable[[Path], str]
"""Takes the experiment's folder, damages it, and says what was done."""


def _scan(folder: Path, place: int) -> Path:
    found = sorted((folder / "raw" / "tomo").glob("*.nxs"))
    if not found:
        raise ConfigurationError("faults: this experiment has no NXtomo scans to break; choose another fault.")
    return found[min(place, len(found) - 1)]


def _spectrum(folder: Path, place: int) -> Path:
    found = sorted((folder / "raw" / "edd").glob("*.med"))
    if not found:
        raise ConfigurationError("faults: this experiment has no .med spectra to break; choose another fault.")
    return found[min(place, len(found) - 1)]


def _record(folder: Path) -> Path:
    found = sorted((folder / "raw" / "echem").glob("*.csv"))
    if not found:
        raise ConfigurationError("faults: this experiment has no BDF record to break; choose another fault.")
    return found[0]


def _truncated_scan(folder: Path) -> str:
    path = _scan(folder, 1)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 3)
    return f"{path.name} ends after {size // 3} of {size} bytes"


def _edited(folder: Path, place: int, edit: Callable[[Any], str]) -> str:
    import h5py

    path = _scan(folder, place)
    with h5py.File(path, "r+") as file:
        return f"{path.name}: {edit(file['entry'])}"


def _missing_flat(folder: Path) -> str:
    def edit(entry: Any) -> str:
        key = entry["instrument/detector/image_key"]
        values = key[()]
        values[values == 1] = 3
        key[...] = values
        return "all flats are marked invalid"

    return _edited(folder, 2, edit)


def _missing_angles(folder: Path) -> str:
    def edit(entry: Any) -> str:
        del entry["data/rotation_angle"], entry["sample/rotation_angle"]
        return "the rotation angles are missing"

    return _edited(folder, 2, edit)


def _black_frames(folder: Path) -> str:
    def edit(entry: Any) -> str:
        data = entry["instrument/detector/data"]
        middle = len(data) // 2
        data[middle : middle + 3] = 0
        return "three projections are black (beam lost)"

    return _edited(folder, 0, edit)


def _same_time(folder: Path) -> str:
    import h5py

    with h5py.File(_scan(folder, 0), "r") as first:
        start = first["entry/instrument/detector/start_time"].attrs["start"]

    def edit(entry: Any) -> str:
        for name in ("start_time", "stop_time"):
            entry[f"instrument/detector/{name}"].attrs["start"] = start
        return "it has the first scan's times"

    return _edited(folder, 1, edit)


def _empty_file(folder: Path) -> str:
    path = _scan(folder, 3)
    path.write_bytes(b"")
    return f"{path.name} is empty"


def _med_lines(folder: Path, place: int) -> tuple[Path, list[str], int]:
    path = _spectrum(folder, place)
    lines = path.read_text(encoding="ascii").splitlines()
    return path, lines, lines.index("DATA: ") + 1


def _dead_element(folder: Path) -> str:
    """The last element counts nothing in every spectrum; of a single one, in one spectrum."""
    paths = sorted((folder / "raw" / "edd").glob("*.med"))
    _, lines, first = _med_lines(folder, 0)
    elements = len(lines[first].split())
    chosen = paths if elements > 1 else paths[1:2]
    for path in chosen:
        lines = path.read_text(encoding="ascii").splitlines()
        rows = [[*line.split()[:-1], "0"] for line in lines[first:]]
        path.write_text("\n".join([*lines[:first], *(" " + " ".join(row) for row in rows)]) + "\n", encoding="ascii")
    return f"element {elements - 1} is dead in {len(chosen)} spectra"


def _live_over_real(folder: Path) -> str:
    path, lines, _ = _med_lines(folder, 1)
    for n, line in enumerate(lines):
        if line.startswith("LIVE_TIME:"):
            lines[n] = "LIVE_TIME:   " + " ".join(f"{1.05 * float(word):.7f}" for word in line.split()[1:])
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return f"{path.name}: live time exceeds real time"


def _short_spectrum(folder: Path) -> str:
    path, lines, first = _med_lines(folder, 2)
    kept = lines[: first + (len(lines) - first) // 2]
    path.write_text("\n".join(kept) + "\n", encoding="ascii")
    return f"{path.name} holds half its channels"


def _clock_jump(folder: Path) -> str:
    """An hour is taken from the cycler's clock from the middle on, as at the end of summer time."""
    path = _record(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index("unix_time_second")
    for n in range(len(lines) // 2, len(lines)):
        words = lines[n].split(",")
        words[place] = f"{float(words[place]) - 3600.0:.3f}"
        lines[n] = ",".join(words)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{path.name}: the clock is set back by an hour at line {len(lines) // 2 + 1}"


def _duplicated_rows(folder: Path) -> str:
    path = _record(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    middle = len(lines) // 2
    path.write_text("\n".join([*lines[:middle], *lines[middle - 5 :]]) + "\n", encoding="utf-8")
    return f"{path.name}: five rows are there twice"


def _late_cycler(folder: Path) -> str:
    """The cycler's file begins after the first scan."""
    path = _record(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], *lines[len(lines) // 5 :]]) + "\n", encoding="utf-8")
    return f"{path.name}: its first fifth is missing"


FAULTS: Mapping[str, Break] = {
    "truncated-scan": _truncated_scan,
    "empty-scan": _empty_file,
    "missing-flat": _missing_flat,
    "missing-angles": _missing_angles,
    "black-frames": _black_frames,
    "same-time": _same_time,
    "dead-element": _dead_element,
    "live-over-real": _live_over_real,
    "short-spectrum": _short_spectrum,
    "clock-jump": _clock_jump,
    "duplicated-rows": _duplicated_rows,
    "late-cycler": _late_cycler,
}


def check(names: Sequence[str]) -> None:
    """Raise ``ConfigurationError`` for a fault that is not known, before anything is written."""
    for name in names:
        if name not in FAULTS:
            raise ConfigurationError(f"fault {name!r} is not known; faults are {', '.join(FAULTS)}.")


def apply(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Damage a finished experiment; what was done goes into ``truth/faults.json``."""
    done = {name: FAULTS[name](folder) for name in names}
    (folder / "truth" / "faults.json").write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
    return done
