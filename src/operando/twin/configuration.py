"""The operando.toml of a simulated experiment: what an experimenter would know, nothing of the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from operando.model.clock import to_text
from operando.twin.measures import track_names
from operando.twin.tomography import scan_start
from operando.twin.world import World

_TOMOGRAPHY = {"nxtomo": "*.nxs", "dataexchange": "*.h5", "tiff": "*"}
_WORTH_NAMING = 0.2
"""Share of the gauge above which the electrolyte's lines are expected."""
_DIFFRACTION = {"med": "med", "spec": "spec", "nexus": "nxs"}


def configuration_text(world: World) -> str:
    """Text of a valid operando.toml."""
    settings = world.settings
    parts = [f"[experiment]\ntitle = {_quoted(settings.title)}", _cell(world)]
    if settings.tomography.enabled:
        parts.append(_tomography(world))
    if settings.spectrometer.enabled:
        parts.append(_diffraction(world))
    if settings.cycler.enabled:
        parts.append(_electrochemistry(world))
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(value: float) -> str:
    text = f"{value:.6g}"
    return text if any(mark in text for mark in ".en") else text + ".0"


def _cell(world: World) -> str:
    cell = world.settings.cell
    masses = ", ".join(f"{element} = {_number(mass)}" for element, mass in world.cell.anode.masses_mg.items())
    lines = [
        "[cell]",
        f"bore_mm = {_number(cell.bore_um / 1000)}",
        f"temperature_c = {_number(cell.temperature_c)}",
        "[cell.anode]",
        f"material = {_quoted(cell.anode.material)}",
        f"mass_mg = {{ {masses} }}",
        f"reaction = {_quoted(cell.anode.reaction)}",
        "[cell.electrolyte]",
        f"material = {_quoted(cell.electrolyte.material)}",
        f"mass_mg = {_number(cell.electrolyte.mass_mg)}" if cell.electrolyte.mass_mg else "",
        f"thickness_um = {_number(cell.electrolyte.thickness_um)}",
        "[cell.cathode]",
        f"material = {_quoted(cell.cathode.material)}",
        f"mass_mg = {_number(cell.cathode.active_mg / cell.cathode.active_fraction)}",
        f"active_fraction = {_number(cell.cathode.active_fraction)}",
        f"theoretical_capacity_mAh_per_g = {_number(cell.cathode.theoretical_capacity_mAh_per_g)}",
    ]
    return "\n".join(line for line in lines if line)


def _tomography(world: World) -> str:
    layout = world.settings.tomography.layout
    lines = ["[tomography]", f'files = "raw/tomo/{_TOMOGRAPHY[layout]}"']
    if layout == "tiff":
        lines += [f"pixel_size_um = {_number(world.settings.detector.pixel_um)}", 'times = "scans.csv"']
    lines += ['phases = ["void", "electrolyte", "anode"]']
    if world.settings.detector.blur_um > 0:
        lines += [f"blur_um = {_number(world.settings.detector.blur_um)}"]
    bumps, grains = track_names(world.cell)
    anode, electrolyte = world.settings.cell.anode, world.settings.cell.electrolyte
    for name, bump in zip(bumps, anode.protrusion, strict=True):
        place = (anode.surface_um + bump.height_um, bump.at_um[1], bump.at_um[0])
        lines += _track(world, name, "protrusion", place, bump.radius_um)
    for name, particle in zip(grains, electrolyte.particle, strict=True):
        z, x, y = particle.at_um
        lines += _track(world, name, "particle", (z, y, x), 1.5 * max(particle.radius_um))
    energies, weights = (
        ", ".join(f"{v:.5g}" for v in part) for part in (world.spectrum.energies, world.spectrum.weights)
    )
    lines += ["[tomography.spectrum]", f"energy_kev = [{energies}]", f"weight = [{weights}]"]
    hardening = world.settings.tomography.hardening_material
    if hardening:
        lines += ["[steps.linearise]", f"hardening_material = {_quoted(hardening)}"]
    return "\n".join(lines)


def _track(world: World, name: str, kind: str, place: tuple[float, float, float], radius: float) -> list[str]:
    """A track's table; the place is z from the first row and y, x from the axis."""
    middle = _middle_um(world)
    at = [_number(round(place[0], 2)), _number(round(place[1] + middle, 2)), _number(round(place[2] + middle, 2))]
    return [
        "[[tomography.track]]",
        f"name = {_quoted(name)}",
        f"kind = {_quoted(kind)}",
        f"at_um = [{', '.join(at)}]",
        f"radius_um = {_number(radius)}",
    ]


def _middle_um(world: World) -> float:
    detector = world.settings.detector
    return (detector.columns - 1) / 2 * detector.pixel_um


def _diffraction(world: World) -> str:
    given, middle = world.settings.spectrometer, _middle_um(world)
    z, y, x = given.gauge_centre_um
    centre = ", ".join(_number(value) for value in (z, y + middle, x + middle))
    slits = ", ".join(_number(value) for value in given.slits_um)
    return "\n".join([
        "[diffraction]",
        f'files = "raw/edd/*.{_DIFFRACTION[given.layout]}"',
        f"two_theta_deg = {_number(given.two_theta_deg)}",
        f"phases = [{', '.join(_quoted(name) for name in _expected_phases(world))}]",
        f"time_zone = {_quoted(world.settings.time_zone)}",
        f"gauge = {{ centre_um = [{centre}], slits_um = [{slits}] }}",
    ])


def _expected_phases(world: World) -> list[str]:
    """What an experimenter would look for: the anode's phases, and the electrolyte's where the gauge reaches it."""
    cell, volumes = world.settings.cell, [float(np.median(phase.volume)) for phase in world.pristine[0]]
    expected = [cell.anode.host, cell.anode.alloy]
    return [*expected, cell.electrolyte.material] if volumes[2] > _WORTH_NAMING * sum(volumes) else expected


def _electrochemistry(world: World) -> str:
    given = world.settings.cycler
    named = "*.csv" if given.layout == "bdf" else "cell.mpt"
    files = f'["raw/echem/{named}", "raw/echem/impedance.mpt"]' if given.impedance else f'"raw/echem/{named}"'
    lines = ["[electrochemistry]", f"files = {files}", 'positive_current = "charge"']
    if given.layout == "mpt" or given.impedance:
        lines.append(f"time_zone = {_quoted(world.settings.time_zone)}")
    if given.clock_offset_s:
        lines.append(f"clock_offset_s = {_number(given.clock_offset_s)}")
    if given.clock_drift_ppm:
        lines.append(f"clock_drift_ppm = {_number(given.clock_drift_ppm)}")
    return "\n".join(lines)


def write_times(world: World, scans: Sequence[int], files: Sequence[str], path: Path) -> Path:
    """The table of times for scans whose files have none: file, start, end."""
    rows = ["file,start,end"]
    for index, file in zip(scans, files, strict=True):
        start = world.epoch + np.timedelta64(round(scan_start(world.settings, index) * 1e9), "ns")
        end = start + np.timedelta64(round(world.settings.tomography.duration_s * 1e9), "ns")
        rows.append(f"{file},{to_text(start)},{to_text(end)}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
