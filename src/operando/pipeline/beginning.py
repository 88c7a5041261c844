"""Write a first, commented ``operando.toml`` from raw files, and say what could not be known."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from operando.formats import catalogue
from operando.model.errors import ConfigurationError, OperandoError
from operando.model.reading import ReadOptions
from operando.pipeline import codec
from operando.pipeline.configuration import FILE_NAME, parse

SECTIONS = {
    "tomography": "tomography",
    "diffraction": "diffraction",
    "electrochemistry": "electrochemistry",
    "volume": "tomography",
}


@dataclass(frozen=True)
class Begun:
    """The file written, what was found and what remains for the user."""

    path: Path
    found: list[str]
    unknown: list[str]


def begin(folder: Path, sources: Iterable[Path], *, replace: bool = False) -> Begun:
    """Recognise the raw files below ``sources`` and write ``folder/operando.toml``.

    Raises ``ConfigurationError`` if there is one already, or nothing is recognised.
    """
    path = folder / FILE_NAME
    if path.exists() and not replace:
        raise ConfigurationError(f"{path}: it is there already; give --force to replace it.")
    groups = _recognise(sources)
    if not groups:
        raise ConfigurationError(
            f"{', '.join(map(str, sources))}: no raw file is recognised; `operando formats` lists what is."
        )
    unknown: list[str] = []
    text = _header(folder) + "".join(_section(kind, files, folder, unknown) for kind, files in sorted(groups.items()))
    parse(text, str(path))
    folder.mkdir(parents=True, exist_ok=True)
    codec.write_bytes(text.encode(), path)
    found = [f"{kind}: {len(files)} files, first {files[0]}" for kind, files in sorted(groups.items())]
    return Begun(path, found, unknown)


def _recognise(sources: Iterable[Path]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for source in sources:
        if not source.exists():
            raise ConfigurationError(f"{source}: there is no such file or folder; check the path.")
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if not path.is_file() or path.name.startswith("."):
                continue
            kind = _kind(path)
            if kind in SECTIONS:
                groups.setdefault(kind, []).append(path)
    return groups


def _kind(path: Path) -> str | None:
    try:
        return catalogue.identify(path).kind
    except OperandoError:
        return None


def _header(folder: Path) -> str:
    return f'''# Units stand in the key names. `operando check` says what is wrong, `operando run` does the work.
[experiment]
title = "{folder.resolve().name}"

# Uncomment what you know of the cell; without it volumes and charges are measured, but not set against each other.
# [cell]
# bore_mm = 3.0                       # inner diameter of the tube
# temperature_c = 25.0
# [cell.anode]
# material = "InLi"                   # `operando materials` lists them
# mass_mg = {{ In = 10.6, Li = 1.5 }}
# reaction = "In + Li -> InLi"
# [cell.electrolyte]
# material = "Li10SnP2S12"
# [cell.cathode]
# material = "Li2S"
# mass_mg = 0.4
# active_fraction = 0.35
# theoretical_capacity_mAh_per_g = 1166
'''


def _section(kind: str, files: list[Path], folder: Path, unknown: list[str]) -> str:
    key = "volumes" if kind == "volume" else "files"
    lines = [f"\n[{SECTIONS[kind]}]", f"{key} = [{', '.join(_quoted(p) for p in _patterns(files, folder))}]"]
    lines += _questions(kind, files[0], unknown)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _patterns(files: list[Path], folder: Path) -> list[str]:
    """One glob for each folder and ending, where it matches just the files found."""
    patterns: dict[str, list[Path]] = {}
    for path in files:
        patterns.setdefault(os.path.join(os.path.relpath(path.parent, folder), f"*{path.suffix}"), []).append(path)
    chosen: list[str] = []
    for pattern, members in patterns.items():
        same = set(members[0].parent.glob(f"*{members[0].suffix}")) == set(members)
        chosen += [pattern] if same and len(members) > 1 else [os.path.relpath(path, folder) for path in members]
    return [Path(pattern).as_posix() for pattern in chosen]


def _questions(kind: str, path: Path, unknown: list[str]) -> list[str]:
    """What the files do not say, as comments to fill in."""
    opened = _open(path)
    lines: list[str] = []
    if opened is None or _lacks_time(opened):
        unknown.append(f"{path}: its times have no zone or are absent; set time_zone (or times) in [{SECTIONS[kind]}].")
        lines.append('# time_zone = "Europe/Berlin"         # IANA name of the zone of the files\' times')
    if kind == "tomography":
        if opened is not None and "pixel_size" not in opened:
            unknown.append(f"{path}: it has no pixel size; set pixel_size_um in [tomography].")
            lines.append("# pixel_size_um = 2.5")
        lines.append('# phases = ["void", "electrolyte", "anode"]   # dark to bright')
    if kind == "diffraction":
        unknown.append('name the phases to look for: phases = ["In", "InLi"] in [diffraction].')
        lines.append('phases = []                           # e.g. ["In", "InLi"]')
        if opened is not None and bool(opened["two_theta"].isnull().any()):
            unknown.append(f"{path}: it has no diffraction angle; set two_theta_deg in [diffraction].")
            lines.append("# two_theta_deg = 8.0")
    return lines


def _open(path: Path) -> xr.Dataset | None:
    try:
        return catalogue.open_raw(path, ReadOptions(require_time=False))
    except OperandoError:
        return None


def _lacks_time(opened: Any) -> bool:
    name = "start" if "start" in opened else "time"
    return name not in opened or bool(opened[name].isnull().any())
