"""The operando.toml of a simulated experiment: what an experimenter would know, nothing of the truth."""

from operando.twin.measures import track_names
from operando.twin.world import World


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
    lines = [
        "[tomography]",
        'files = "raw/tomo/*.nxs"',
        'phases = ["void", "electrolyte", "anode"]',
    ]
    bumps, grains = track_names(world.cell)
    anode, electrolyte = world.settings.cell.anode, world.settings.cell.electrolyte
    for name, bump in zip(bumps, anode.protrusion, strict=True):
        place = (anode.surface_um + bump.height_um, bump.at_um[1], bump.at_um[0])
        lines += _track(world, name, "protrusion", place, bump.radius_um)
    for name, particle in zip(grains, electrolyte.particle, strict=True):
        z, x, y = particle.at_um
        lines += _track(world, name, "particle", (z, y, x), 1.5 * max(particle.radius_um))
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
    given, anode, middle = world.settings.spectrometer, world.settings.cell.anode, _middle_um(world)
    z, y, x = given.gauge_centre_um
    centre = ", ".join(_number(value) for value in (z, y + middle, x + middle))
    slits = ", ".join(_number(value) for value in given.slits_um)
    return "\n".join([
        "[diffraction]",
        'files = "raw/edd/*.med"',
        f"two_theta_deg = {_number(given.two_theta_deg)}",
        f'phases = ["{anode.host}", "{anode.alloy}"]',
        f"time_zone = {_quoted(world.settings.time_zone)}",
        f"gauge = {{ centre_um = [{centre}], slits_um = [{slits}] }}",
    ])


def _electrochemistry(world: World) -> str:
    given = world.settings.cycler
    lines = ["[electrochemistry]", 'files = "raw/echem/*.csv"', 'positive_current = "charge"']
    if given.clock_offset_s:
        lines.append(f"clock_offset_s = {_number(given.clock_offset_s)}")
    if given.clock_drift_ppm:
        lines.append(f"clock_drift_ppm = {_number(given.clock_drift_ppm)}")
    return "\n".join(lines)
