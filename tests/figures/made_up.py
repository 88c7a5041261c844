"""A made-up experiment in memory, built from the contracts: a small cell over four cycles.

Physically plausible, so that pictures of it can be judged: the anode grows with charge by the lattice volume of
In + Li -> InLi, cavities open in the last discharge, resistance rises, InLi lines appear where In lines fade.
"""

from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from operando.model.constants import FARADAY_MAH_PER_MOL, HC_KEV_ANGSTROM, UNKNOWN_LABEL
from operando.model.contract import Contract
from operando.model.products.diffraction import (
    AREA_PER_CHARGE,
    CALIBRATION,
    CORRECTED,
    DRIFT,
    FACTORS,
    LATTICE,
    LINES,
    PHASE_PRESENCE,
    PHASE_SHARES,
    REFINED,
    RESPONSE,
    STRAIN_ELLIPSE,
    SUBTRACTED,
)
from operando.model.products.electrochemistry import CONDUCTIVITY, CURVE, CYCLES, DERIVATIVES, PROTOCOL, RESISTANCES
from operando.model.products.joint import BALANCE, CLOCK_CHECK, CONTACT, EVENTS, PAIRS, SCAN_TIMELINE, SPECTRUM_TIMELINE
from operando.model.products.morphology import (
    DIFFERENCE,
    INTERFACE,
    LABELS,
    MOTIONS,
    PHASE_VOLUMES,
    TRACKS,
)
from operando.model.products.raw import IMPEDANCE
from operando.model.products.tomography import CENTRES, TRUST, VOLUME

ORIGIN = np.datetime64("2018-05-04T06:00:00", "ns")
PROTOCOL_ROWS = (
    ("rest", 0, 0.5, 0.0),
    ("charge", 0, 5.0, 0.010),
    ("charge", 1, 1.0, 0.1632),
    ("discharge", 1, 0.96, -0.1632),
    ("charge", 2, 2.0, 0.0816),
    ("discharge", 2, 1.90, -0.0816),
    ("charge", 3, 4.0, 0.0408),
    ("discharge", 3, 3.6, -0.0408),
    ("charge", 4, 9.5, 0.0163),
    ("rest", 4, 1.0, 0.0),
    ("discharge", 4, 7.5, -0.0163),
)
"""Kind, cycle, hours, mA."""
EXPANSION = 7.8e12 / FARADAY_MAH_PER_MOL  # µm³ per mAh
PIXEL = 20.0
SHAPE = (48, 80, 80)
PHASES = ("void", "electrolyte", "anode")
CELLS = {"In": (3.2517, 3.2517, 4.9459), "InLi": (6.80, 6.80, 6.80)}
HKL = {
    "In": ((1, 0, 1), (0, 0, 2), (1, 1, 0), (1, 1, 2), (2, 0, 0), (2, 1, 1), (2, 0, 2)),
    "InLi": ((2, 2, 0), (3, 1, 1), (4, 0, 0), (4, 2, 2), (4, 4, 0)),
}
TWO_THETA = np.array([7.99, 8.01])
SCAN_EVERY, SPECTRUM_EVERY = 1.0, 0.5


def make(contract: Contract, coords: Any = None, attrs: Any = None, **arrays: Any) -> xr.Dataset:
    """Build a product; variables that the contract has gained since are there, but unknown (NaN)."""
    wanted = contract.all_variables()
    sizes = {"axis": 3} | {
        d: n for name, a in arrays.items() for d, n in zip(wanted[name].dims, np.shape(a), strict=True)
    }
    for name, variable in wanted.items():
        if name not in arrays and not variable.optional:
            shape = tuple(sizes.get(dim, 1) for dim in variable.dims)
            unknown = {"time": np.datetime64("NaT", "ns"), "text": ""}.get(variable.unit, np.nan)
            arrays[name] = np.full(shape, unknown)
    return contract.new(coords, attrs, **arrays)


def _times(hours: np.ndarray) -> np.ndarray:
    return ORIGIN + (np.asarray(hours) * 3.6e12).astype("timedelta64[ns]")


def _edges() -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum([row[2] for row in PROTOCOL_ROWS])])


def charge_at(hours: np.ndarray) -> np.ndarray:
    """Net charge, mAh."""
    edges = _edges()
    steps = np.array([row[2] * row[3] for row in PROTOCOL_ROWS])
    return np.interp(hours, edges, np.concatenate([[0.0], np.cumsum(steps)]))


def step_at(hours: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(_edges(), hours, side="right") - 1, 0, len(PROTOCOL_ROWS) - 1)


@cache
def curve() -> xr.Dataset:
    hours = np.arange(0, _edges()[-1], 10 / 3600)
    step = step_at(hours)
    current = np.array([row[3] for row in PROTOCOL_ROWS])[step]
    charge = charge_at(hours)
    share = np.clip((charge - 0.03) / 0.17, 0, 1)
    resistance = 800 + 900 * np.clip((hours - 20) / 17, 0, 1)
    voltage = 1.55 + 0.35 * share + 0.12 * np.tanh((share - 0.9) * 12) + current * resistance * 1e-3
    return make(CURVE, time=_times(hours), voltage=voltage, current=current, charge=charge, step=step)


def protocol() -> xr.Dataset:
    edges = _edges()
    charge = np.array([row[2] * row[3] for row in PROTOCOL_ROWS])
    return make(
        PROTOCOL,
        kind=np.array([row[0] for row in PROTOCOL_ROWS]),
        cycle=np.array([row[1] for row in PROTOCOL_ROWS]),
        start=_times(edges[:-1]),
        end=_times(edges[1:]),
        charge=charge,
        charge_std=np.abs(charge) * 1e-4,
        current=np.array([row[3] for row in PROTOCOL_ROWS]),
    )


def _timeline(contract: Any, dim: str, hours: np.ndarray, pattern: str, with_cell: bool, length: float) -> xr.Dataset:
    step, nothing = step_at(hours), np.full(hours.size, np.nan)
    kinds = np.array([row[0] for row in PROTOCOL_ROWS])[step]
    cycles = np.array([row[1] for row in PROTOCOL_ROWS])[step]
    record = curve()
    seconds = (record["time"].values - ORIGIN).astype("int64") / 3.6e12
    at = {name: np.interp(hours, seconds, record[name].values) for name in ("charge", "voltage", "current")}
    return make(
        contract,
        coords={dim: np.arange(hours.size)},
        file=np.array([pattern.format(i) for i in range(hours.size)]),
        start=_times(hours - length / 2),
        end=_times(hours + length / 2),
        charge=at["charge"] if with_cell else nothing,
        voltage=at["voltage"] if with_cell else nothing,
        current=at["current"] if with_cell else nothing,
        cycle=cycles if with_cell else np.full(hours.size, -1),
        step=step if with_cell else np.full(hours.size, -1),
        step_kind=kinds if with_cell else np.full(hours.size, ""),
    )


def scan_hours() -> np.ndarray:
    return np.arange(0.25, _edges()[-1], SCAN_EVERY)


def spectrum_hours() -> np.ndarray:
    hours = np.arange(0.25, _edges()[-1], SPECTRUM_EVERY)
    return hours[(hours < 14) | (hours > 16.4)]  # a gap: the shutter was closed


def coordinates() -> dict[str, np.ndarray]:
    return {name: np.arange(n) * PIXEL for name, n in zip("zyx", SHAPE, strict=True)}


def _bore(margin: float = 0.0) -> np.ndarray:
    y, x = np.indices(SHAPE[1:]) - (SHAPE[1] - 1) / 2
    return np.hypot(y, x) < 34 - margin


@cache
def state_of(hour: float) -> tuple[np.ndarray, np.ndarray]:
    """Height of the anode's surface and thickness of the cavity before it, µm (y, x)."""
    y, x = (np.indices(SHAPE[1:]) - (SHAPE[1] - 1) / 2) * PIXEL
    rough = 15 * np.sin(x / 130) * np.cos(y / 170)
    area = np.pi * (34 * PIXEL) ** 2
    charge = float(charge_at(np.array([hour]))[0])
    irreversible = 60 * np.clip(hour / 37, 0, 1) ** 2
    protrusion = (93 + irreversible + 500 * max(charge - 0.03, 0)) * np.exp(-((x - 150) ** 2 + (y - 60) ** 2) / 130**2)
    height = 300 + rough + protrusion + charge * EXPANSION / area
    opening = max(hour - 30, 0) / 7
    gap = 90 * opening * np.clip(1 - ((x + 200) ** 2 + (y + 40) ** 2) / 300**2, 0, 1)
    return height, gap


def volume(hour: float, seed: int) -> xr.Dataset:
    height, gap = state_of(hour)
    z = coordinates()["z"][:, None, None]
    surface = height - gap
    mu = np.where(z < surface, 11.5, np.where(z < height, 0.15, 3.1))
    noise = np.random.default_rng(seed).normal(0, 0.35, SHAPE)
    mu = np.where(_bore(), mu + noise, np.where(_bore(-4), 0.35 + 0.3 * noise, 0.3 * noise))
    grain = sum((a - b) ** 2 for a, b in zip(np.indices(SHAPE), (41, 42, 24), strict=True)) < 16
    mu = np.where(grain, mu + 2.2, mu)
    return make(VOLUME, coords=coordinates(), mu=mu.astype("f4"))


def labels(hour: float) -> xr.Dataset:
    height, gap = state_of(hour)
    z = coordinates()["z"][:, None, None]
    label = np.where(z < height - gap, 3, np.where(z < height, 1, 2))
    label = np.where(_bore(), label, 0)
    label[:6, 28:52, 28:52] = UNKNOWN_LABEL
    return make(LABELS, coords=coordinates(), attrs={"phases": list(PHASES)}, label=label.astype("u1"))


def trust() -> xr.Dataset:
    shape = tuple(n // 4 for n in SHAPE)
    z, y, x = np.indices(shape)
    share = np.where((z < 3) & (np.hypot(y - 9.5, x - 9.5) < 4), 0.6, 0.02)
    coords = {
        f"{name}_coarse": (f"{name}_coarse", np.arange(n) * PIXEL * 4, "um")
        for name, n in zip("zyx", shape, strict=True)
    }
    return make(TRUST, coords=coords, starved_share=share, noise=np.full(shape, 0.35))


def interface(hour: float) -> xr.Dataset:
    height, gap = state_of(hour)
    inside = _bore(1)
    area = float(inside.sum()) * PIXEL**2
    lost = float((gap[inside] > PIXEL / 2).mean())
    cavity = float(gap[inside].sum() * PIXEL**2)
    return make(
        INTERFACE,
        coords={"y_map": ("y_map", coordinates()["y"], "um"), "x_map": ("x_map", coordinates()["x"], "um")},
        height=np.where(inside, height - gap, np.nan),
        gap=np.where(inside, gap, np.nan),
        contact_area=area * (1 - lost),
        contact_area_low=area * (1 - lost) * 0.98,
        contact_area_high=area * (1 - lost) * 1.02,
        contact_loss=lost,
        contact_loss_low=max(lost - 0.01, 0),
        contact_loss_high=lost + 0.01,
        contact_loss_seen=lost,
        contact_loss_seen_low=max(lost - 0.01, 0),
        contact_loss_seen_high=lost + 0.01,
        cavity_volume=cavity,
        cavity_volume_low=cavity * 0.95,
        cavity_volume_high=cavity * 1.05,
        roughness=float(height[inside].std()),
        roughness_low=float(height[inside].std()) - 1,
        roughness_high=float(height[inside].std()) + 1,
    )


def phase_volumes(hour: float) -> xr.Dataset:
    height, gap = state_of(hour)
    inside = _bore()
    anode = float((height - gap)[inside].sum() * PIXEL**2)
    void = float(gap[inside].sum() * PIXEL**2)
    whole = float(inside.sum() * PIXEL**3 * SHAPE[0])
    jitter = np.random.default_rng(int(hour * 100)).normal(0, 1e5)
    value = np.array([void, whole - anode - void, anode + jitter])
    half = np.array([1e5, 4e5, 4e5])
    return make(
        PHASE_VOLUMES,
        coords={"phase": ("phase", np.array(PHASES), "text")},
        volume=value,
        in_first_field=value,
        in_first_field_low=value - half,
        in_first_field_high=value + half,
        volume_low=value - half,
        volume_high=value + half,
        untrusted_volume=2.7e7,
        untrusted_volume_low=2.6e7,
        untrusted_volume_high=2.8e7,
        untrusted_rows=np.zeros((0, 2), int),
    )


def tracks(hour: float) -> xr.Dataset:
    charge = float(charge_at(np.array([hour]))[0])
    protrusion = 93 + 60 * np.clip(hour / 37, 0, 1) ** 2 + 500 * max(charge - 0.03, 0)
    length = np.array([protrusion, 123 - 15 * hour / 37])
    return make(
        TRACKS,
        coords={
            "track": ("track", np.array(["protrusion", "particle"]), "text"),
            "kind": ("track", np.array(["protrusion", "particle"]), "text"),
        },
        length=length,
        length_low=length - 3,
        length_high=length + 3,
        position=np.array([[300.0 + protrusion, 850.0, 940.0], [950.0 - length[1], 840.0, 480.0]]),
    )


def motions() -> xr.Dataset:
    n = scan_hours().size
    translation = np.stack([np.linspace(0, 22, n), np.linspace(0, -8, n), np.zeros(n)], axis=1)
    outlier = np.zeros(n, bool)
    outlier[7] = True
    return make(
        MOTIONS,
        coords={"scan": np.arange(n)},
        translation=translation,
        translation_std=np.full((n, 3), 0.2),
        rotation=np.zeros((n, 3)),
        rotation_std=np.full((n, 3), 1e-4),
        grey_scale=np.ones(n),
        grey_scale_std=np.full(n, 1e-3),
        outlier=outlier,
    )


def centres() -> xr.Dataset:
    n = scan_hours().size
    return make(
        CENTRES,
        coords={"scan": np.arange(n)},
        centre=39.5 + 0.02 * np.sin(np.arange(n)),
        centre_std=np.full(n, 0.03),
        outlier=np.zeros(n, bool),
    )


def difference(start: float, end: float) -> dict[str, float]:
    inside = _bore()
    (h0, g0), (h1, g1) = state_of(start), state_of(end)
    change = ((h1 - g1) - (h0 - g0))[inside] * PIXEL**2
    return {
        "gain": float(change[change > 0].sum()),
        "loss": float(-change[change < 0].sum()),
        "net": float(change.sum()),
    }


def pair_rows() -> list[tuple[int, int, int, str]]:
    hours, edges = scan_hours(), _edges()
    rows = []
    for i, (kind, cycle, *_) in enumerate(PROTOCOL_ROWS):
        first, last = (int(np.abs(hours - edge).argmin()) for edge in edges[i : i + 2])
        if kind in {"charge", "discharge"} and first != last:
            rows.append((first, last, cycle, kind))
    return [*rows, (0, hours.size - 1, -1, "all")]


def _differences() -> xr.Dataset:
    return xr.concat([difference_product(i) for i in range(len(pair_rows()))], "pair").assign_coords(
        pair=np.arange(len(pair_rows()))
    )


def difference_product(pair: int) -> xr.Dataset:
    first, last, *_ = pair_rows()[pair]
    hours = scan_hours()
    values = difference(hours[first], hours[last])
    half = 6e5
    bounded = {
        f"{k}{s}": v + d
        for k, v in (values | {"cavity_change": 0.0}).items()
        for s, d in (("", 0.0), ("_low", -half), ("_high", half))
    }
    return make(DIFFERENCE, **bounded, untrusted_volume=2.7e7, mean_advance=values["net"] / (np.pi * (34 * PIXEL) ** 2))


def pairs() -> xr.Dataset:
    first, last, cycle, step = (np.array(column) for column in zip(*pair_rows(), strict=True))
    return make(PAIRS, coords={"pair": np.arange(first.size)}, from_scan=first, to_scan=last, cycle=cycle, step=step)


def balance() -> xr.Dataset:
    rows = pair_rows()
    first, last, cycle, step = (np.array(column) for column in zip(*rows, strict=True))
    hours = scan_hours()
    charge = charge_at(hours[last]) - charge_at(hours[first])
    factor = np.array([1.0, 11.8 / 7.8, 13.0 / 7.8])
    expected = charge[:, None] * EXPANSION * factor
    parts = [difference(hours[a], hours[b]) for a, b, *_ in rows]
    net, gain, loss = (np.array([part[name] for part in parts]) for name in ("net", "gain", "loss"))
    half = np.full(net.shape, 8e5)
    ratio = net[:, None] / expected
    return make(
        BALANCE,
        coords={
            "reaction": ("reaction", np.array(["In + Li -> InLi", "0.5 In2Li3 + Li -> ...", "Li+ + e- -> Li"]), "text")
        },
        charge=charge,
        charge_low=charge - 1e-4,
        charge_high=charge + 1e-4,
        morphological=net,
        morphological_low=net - half,
        morphological_high=net + half,
        gain=gain,
        gain_low=gain - half,
        gain_high=gain + half,
        loss=loss,
        loss_low=loss - half,
        loss_high=loss + half,
        electrochemical=expected,
        electrochemical_low=expected * 0.99,
        electrochemical_high=expected * 1.01,
        ratio=ratio,
        ratio_low=ratio - np.abs(half[:, None] / expected),
        ratio_high=ratio + np.abs(half[:, None] / expected),
        unaccounted=expected[:, 0] - net,
        unaccounted_low=expected[:, 0] - net - half,
        unaccounted_high=expected[:, 0] - net + half,
        from_scan=first,
        to_scan=last,
        cycle=cycle,
        step=step,
    )


def spacing(phase: str, hkl: tuple[int, int, int], scale: float = 1.0) -> float:
    a, _, c = CELLS[phase]
    h, k, l = hkl
    return float(scale / np.sqrt((h * h + k * k) / a**2 + l * l / c**2))


def _content(hour: float) -> dict[str, tuple[float, float]]:
    """Amount and lattice scale of each phase."""
    charge = float(charge_at(np.array([hour]))[0])
    return {
        "In": (max(1.0 - 0.9 * hour / 30, 0.0), 1.0),
        "InLi": (0.35 + 2.5 * charge, 1.0 + 1.5e-3 * np.clip((hour - 20) / 17, 0, 1)),
    }


def corrected(hour: float, seed: int) -> xr.Dataset:
    channel = np.arange(1024)
    energy = np.stack([10 + 0.1 * channel, 10.05 + 0.1 * channel])
    model = 400 * np.exp(-(((energy - 45) / 30) ** 2)) + 20
    background = model.copy()
    for phase, (amount, scale) in _content(hour).items():
        for hkl in HKL[phase]:
            d = spacing(phase, hkl, scale)
            centre = HC_KEV_ANGSTROM / (2 * d * np.sin(np.deg2rad(TWO_THETA) / 2))
            strength = amount * 900 * (1.5 if hkl in {(1, 0, 1), (2, 2, 0)} else 0.7)
            model += strength * np.exp(-0.5 * ((energy - centre[:, None]) / 0.16) ** 2)
    counts = np.random.default_rng(seed).poisson(model)
    return make(
        CORRECTED,
        counts=counts,
        background=background,
        energy=energy,
        scale=np.array([1.03, 1.04]),
        good=np.array([True, True]),
    )


def calibration() -> xr.Dataset:
    return make(
        CALIBRATION,
        energy_coefficients=np.array([[10.0, 0.1], [10.05, 0.1]]),
        two_theta=TWO_THETA,
        two_theta_std=np.full(2, 1e-4),
        good=np.array([True, True]),
        resolution=np.array([[0.377, 0.0]] * 2),
        reason=np.array(["", ""]),
    )


def lines(hour: float, seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    content = _content(hour)
    rows = [(phase, *hkl, element) for phase in HKL for hkl in HKL[phase] for element in (0, 1)]
    d = np.array([spacing(p, (h, k, l), content[p][1]) for p, h, k, l, _ in rows])
    amount = np.array([content[p][0] for p, *_ in rows])
    pulled = np.array([0.006 * content["In"][0] * (p == "InLi" and (h, k, l) == (4, 2, 2)) for p, h, k, l, _ in rows])
    strong = np.array([(h, k, l) in {(1, 0, 1), (2, 2, 0)} for _, h, k, l, _ in rows])
    strength = 900 * np.where(strong, 1.5, 0.7) * 0.16 * np.sqrt(2 * np.pi) / 0.1 * 1.035
    gone = amount < 0.02
    columns = {
        name: ("line", np.array([row[i] for row in rows]), "1" if i else "text")
        for i, name in enumerate(("phase", "h", "k", "l", "element"))
    }
    n = len(rows)
    return make(
        LINES,
        coords=columns,
        d=np.where(gone, np.nan, d + rng.normal(0, 1e-4, n)),
        d_std=np.full(n, 1e-4),
        area=strength * amount + rng.normal(0, 60, n),
        area_std=np.full(n, 60.0),
        d_free=np.where(gone, np.nan, d + pulled + rng.normal(0, 4e-4, n)),
        d_free_std=np.full(n, 4e-4),
    )


def lattice(hour: float, seed: int) -> xr.Dataset:
    rng, content = np.random.default_rng(seed), _content(hour)
    cell = np.array([np.array(CELLS[p]) * (content[p][1] + rng.normal(0, 8e-5)) for p in CELLS])
    cell[0, 2] = CELLS["In"][2] * (1 + rng.normal(0, 1e-4))
    cell[[content[p][0] < 0.02 for p in CELLS]] = np.nan
    return make(
        LATTICE,
        coords={"phase": ("phase", np.array(list(CELLS)), "text"), "edge": ("edge", np.array(list("abc")), "text")},
        cell=cell,
        cell_std=np.full((2, 3), 6e-4),
        presence=np.array([9.0, 12.0]),
        deviance=1.03,
    )


def refined() -> xr.Dataset:
    """Free edges of every spectrum, less scattered than the single fits."""
    hours, rng = spectrum_hours(), np.random.default_rng(3)
    nominal = np.array([CELLS["In"][0], CELLS["In"][2], CELLS["InLi"][0]])
    scale = np.array([[_content(hour)[p][1] for p in ("In", "In", "InLi")] for hour in hours])
    gone = np.array([[_content(hour)[p][0] < 0.02 for p in ("In", "In", "InLi")] for hour in hours])
    cell = np.where(gone, np.nan, nominal * (scale + rng.normal(0, 5e-5, scale.shape)))
    return make(
        REFINED,
        coords={"spectrum": np.arange(hours.size), "edge": ("edge", np.array(["In a", "In c", "InLi a"]), "text")},
        cell=cell,
        cell_std=nominal * np.full(scale.shape, 6e-5),
        change=cell / cell[0] - 1.0,
        change_std=np.full(scale.shape, 7e-5),
    )


def drift() -> xr.Dataset:
    """A gain that drifts by 3e-4, as fluorescence and the electrolyte see it."""
    series = refined()
    count = series.sizes["spectrum"]
    rng = np.random.default_rng(8)
    shift = 3e-4 * np.linspace(0, 1, count)[:, None] + rng.normal(0, [2e-5, 5e-5], (count, 2))
    return make(
        DRIFT,
        coords={
            "spectrum": np.arange(count),
            "standard": ("standard", np.array(["fluorescence", "Li10SnP2S12"]), "text"),
            "edge": ("edge", series["edge"].values, "text"),
        },
        shift=shift, shift_std=np.full(shift.shape, [2e-5, 5e-5]),
        trend=np.array([3e-4, 3e-4]), trend_std=np.array([1e-5, 2e-5]),
        chi_squared=np.array([900.0, 200.0]), probability=np.array([0.0, 0.0]),
        pinned=series["change"].values - shift.mean(axis=1)[:, None],
        pinned_std=np.hypot(series["change_std"].values, 3e-5),
    )  # fmt: skip


def response() -> xr.Dataset:
    """A response that rises behind filters and falls with the beam, and three lines of each phase on it."""
    energy, lines = np.geomspace(35.0, 110.0, 40), np.array([40.0, 60.0, 90.0, 45.0, 70.0, 100.0])
    curve, at_lines = (np.exp(-2e5 / e**3 - e / 25.0) * 40.0 for e in (energy, lines))
    return make(
        RESPONSE,
        coords={
            "energy": ("energy", energy, "keV"),
            "phase": ("line", np.repeat(["In", "InLi"], 3), "text"),
            "line_energy": ("line", lines, "keV"),
        },
        relative=curve, relative_low=curve * 0.95, relative_high=curve * 1.05, given=(62.0 / energy) ** 2,
        observed=at_lines * 1.02, observed_std=at_lines * 0.02, used=lines > 42.0, scatter=0.05,
    )  # fmt: skip


def phase_shares() -> xr.Dataset:
    """Shares of In and InLi; the electrolyte lies elsewhere and has none."""
    hours = spectrum_hours()
    names = list(CELLS)
    amount = np.array([[_content(h)[p][0] for p in names] for h in hours])
    together = np.isin(names, ["In", "InLi"])
    share = np.where(together, amount / amount[:, together].sum(axis=1, keepdims=True), np.nan)
    numbers = {f"{kind}_share{end}": share * f for kind in ("volume", "mass") for end, f in ENDS}
    return make(
        PHASE_SHARES,
        coords={"spectrum": np.arange(hours.size), "phase": ("phase", np.array(names), "text")},
        amount=amount / amount.mean(axis=0), amount_std=np.full(amount.shape, 0.02),
        chi_squared=np.ones(amount.shape), **numbers,
    )  # fmt: skip


ENDS = (("", 1.0), ("_low", 0.97), ("_high", 1.03))


def factors() -> xr.Dataset:
    """Two factors: one line each, trading counts."""
    d, hours = np.geomspace(0.9, 4.0, 400), spectrum_hours()
    pattern = np.array([np.exp(-0.5 * ((d - at) / 0.01) ** 2) for at in (1.36, 1.39)])
    share = np.linspace(0.2, 0.8, hours.size)
    return make(
        FACTORS,
        coords={"d": ("bin", d, "angstrom"), "spectrum": np.arange(hours.size)},
        pattern=pattern / pattern.sum(axis=1, keepdims=True),
        amount=1e4 * np.stack([share, 1.0 - share], axis=1),
        deviance=1.02,
    )


def area_per_charge() -> xr.Dataset:
    """In gives what InLi takes; the electrolyte does nothing."""
    slope = np.array([[-2.0e5, -1.9e5], [2.6e5, 2.3e5], [np.nan, np.nan]])[: len(CELLS)]
    return make(
        AREA_PER_CHARGE,
        coords={
            "phase": ("phase", np.array(list(CELLS)), "text"),
            "way": ("way", np.array(["charge", "discharge"]), "text"),
        },
        slope=slope,
        slope_std=np.abs(slope) * 0.05,
        inactive=1.0 - slope[:, 1] / slope[:, 0],
        inactive_std=np.full(len(CELLS), 0.07),
        spectra=np.full((len(CELLS), 2), 9.0),
    )


def strain_ellipse() -> xr.Dataset:
    """InLi is pressed along 60°, more and more."""
    count, seen = spectrum_hours().size, np.array([name == "InLi" for name in CELLS])
    grown = np.where(seen, np.linspace(0.0, 4e-4, count)[:, None], np.nan)
    return make(
        STRAIN_ELLIPSE,
        coords={"spectrum": np.arange(count), "phase": ("phase", np.array(list(CELLS)), "text")},
        mean=-grown / 2, mean_std=np.full(grown.shape, 3e-5), differential=grown,
        differential_std=np.full(grown.shape, 5e-5), axis=np.where(seen, 60.0, np.nan) + 0.0 * grown,
        chi_squared=np.ones(grown.shape),
    )  # fmt: skip


def subtracted(hour: float, index: int) -> xr.Dataset:
    """A surplus beside a deficit that grows with the spectra."""
    d = np.geomspace(0.9, 4.0, 800)
    moved = np.exp(-0.5 * ((d - 1.395) / 0.004) ** 2) - np.exp(-0.5 * ((d - 1.385) / 0.004) ** 2)
    return make(
        SUBTRACTED,
        coords={"d": ("bin", d, "angstrom")},
        attrs={"frame": index, "file": f"spectrum_{index:04d}.med", "scale": 1.0},
        difference=5.0 * hour * moved,
        difference_std=np.full(d.size, 8.0),
        bipolar=(np.abs(moved) > 0.5) & (hour > 10.0),
    )


def phase_presence() -> xr.Dataset:
    hours = spectrum_hours()
    fraction = np.array([[_content(h)[p][0] for p in CELLS] for h in hours])
    fraction = fraction / fraction.max(axis=0)
    return make(
        PHASE_PRESENCE,
        coords={"spectrum": np.arange(hours.size), "phase": ("phase", np.array(list(CELLS)), "text")},
        present=fraction > 0.03,
        fraction=fraction,
        fraction_std=np.full(fraction.shape, 0.02),
    )


def cycles() -> xr.Dataset:
    charge = np.array([row[2] * row[3] for row in PROTOCOL_ROWS if row[0] == "charge" and row[1]])
    discharge = np.array([-row[2] * row[3] for row in PROTOCOL_ROWS if row[0] == "discharge"])
    resistance = np.array([820.0, 830.0, 1000.0, np.nan])
    return make(
        CYCLES,
        coords={"cycle": np.arange(1, 5)},
        c_rate=np.array([1, 0.5, 0.25, 0.1]),
        charge=charge,
        charge_std=charge * 1e-4,
        discharge=discharge,
        discharge_std=discharge * 1e-4,
        coulombic_efficiency=discharge / charge,
        coulombic_efficiency_std=np.full(4, 2e-4),
        resistance=resistance,
        resistance_std=resistance * 0.01,
    )


def resistances() -> xr.Dataset:
    hours = _edges()[1:-1]
    value = 800 + 900 * np.clip((hours - 20) / 17, 0, 1)
    return make(
        RESISTANCES, time=_times(hours), resistance=value, resistance_std=value * 0.01, delay=np.full(hours.size, 0.5)
    )


def events() -> xr.Dataset:
    hours = np.array([8.2, 24.0, 30.1, 30.6, 31.9])
    half = np.array([0.5, 1.2, 0.6, 0.7, 1.5])
    charge = charge_at(hours)
    kinds = np.array(["phase_onset", "phase_end", "void_onset", "contact_loss_onset", "resistance_rise_onset"])
    return make(
        EVENTS,
        time=_times(hours),
        low=_times(hours - half),
        high=_times(hours + half),
        charge=charge,
        charge_low=charge - 0.003,
        charge_high=charge + 0.003,
        kind=kinds,
        text=np.array([
            f"{kind.replace('_', ' ')} near hour {hour:.0f}." for kind, hour in zip(kinds, hours, strict=True)
        ]),
    )


def contact() -> xr.Dataset:
    area = np.array([1.39e6, 1.38e6, 1.39e6, 1.36e6, 1.20e6, 1.13e6])
    resistance = 800 * (area / 1.39e6) ** -1.4
    return make(
        CONTACT,
        scan=np.array([5, 11, 15, 19, 32, 35]),
        contact_area=area,
        contact_area_low=area * 0.98,
        contact_area_high=area * 1.02,
        resistance=resistance,
        resistance_std=resistance * 0.01,
        lag=np.zeros(6),
        exponent=-1.4,
        exponent_low=-1.7,
        exponent_high=-1.1,
    )


def derivatives() -> xr.Dataset:
    rows = [(i, cycle, kind) for i, (kind, cycle, *_) in enumerate(PROTOCOL_ROWS) if kind != "rest"]
    step, cycle, kind = (np.array(column) for column in zip(*rows, strict=True))
    voltage = np.tile(np.linspace(1.4, 2.1, 100), (step.size, 1))
    charge = np.tile(np.linspace(0, 0.16, 100), (step.size, 1))
    return make(
        DERIVATIVES,
        step=step,
        cycle=cycle,
        kind=kind,
        voltage=voltage,
        dq_dv=0.1 + np.exp(-(((voltage - 1.8 + 0.02 * cycle[:, None]) / 0.05) ** 2)),
        charge=charge,
        dv_dq=1 + 20 * np.exp(-charge / 0.01) + 5 * np.exp((charge - 0.16) / 0.01),
    )


def clock_check() -> xr.Dataset:
    offset = np.arange(-7200.0, 7201.0, 60.0)
    likelihood = np.stack([-(((offset - best) / 600) ** 2) / 2 for best in (30.0, -240.0)])
    return make(
        CLOCK_CHECK,
        coords={
            "instrument": ("instrument", np.array(["tomography", "diffraction"]), "text"),
            "offset": ("offset", offset, "s"),
        },
        log_likelihood=likelihood,
        best=np.array([30.0, -240.0]),
        best_low=np.array([-1100.0, -1400.0]),
        best_high=np.array([1200.0, 900.0]),
    )


def impedance() -> xr.Dataset:
    frequency = np.logspace(6, 0, 40)
    z = 60 + 900 / (1 + (2j * np.pi * frequency * 900 * 3e-7) ** 0.85) + 40 / np.sqrt(1j * frequency)
    return make(
        IMPEDANCE,
        frequency=frequency[None],
        impedance_real=z.real[None],
        impedance_imaginary=z.imag[None],
        time=_times(np.array([0.1])),
    )


def conductivity() -> xr.Dataset:
    return make(
        CONDUCTIVITY,
        time=_times(np.array([0.1])),
        resistance=np.array([60.0]),
        resistance_std=np.array([1.0]),
        conductivity=np.array([2.4e-3]),
        conductivity_std=np.array([5e-5]),
    )


def _quantity(value: float, half: float, unit: str) -> dict[str, Any] | None:
    return (
        {"value": float(value), "low": float(value - half), "high": float(value + half), "unit": unit}
        if np.isfinite(value)
        else None
    )


def scan_timeline(with_cell: bool, timed: bool = True) -> xr.Dataset:
    return _without_time(_timeline(SCAN_TIMELINE, "scan", scan_hours(), "raw/scan_{:04d}.nxs", with_cell, 0.03), timed)


def spectrum_timeline(with_cell: bool, timed: bool = True) -> xr.Dataset:
    hours = spectrum_hours()
    return _without_time(_timeline(SPECTRUM_TIMELINE, "spectrum", hours, "raw/edd_{:04d}.med", with_cell, 0.05), timed)


def _without_time(timeline: xr.Dataset, timed: bool) -> xr.Dataset:
    if timed:
        return timeline
    never = np.full(timeline["start"].shape, np.datetime64("NaT", "ns"))
    return timeline.assign(start=timeline["start"].copy(data=never), end=timeline["end"].copy(data=never))


def _iso(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[s]')}Z"


def _bounds(table: xr.Dataset, name: str, unit: str, **place: int) -> dict[str, Any] | None:
    one = table.isel(place)
    value, low, high = (float(one[n].values) for n in (name, f"{name}_low", f"{name}_high"))
    return {"value": value, "low": low, "high": high, "unit": unit} if np.isfinite(value) else None


def _scans(cell: bool) -> list[dict[str, Any]]:
    timeline = scan_timeline(cell)
    rows = []
    for i, hour in enumerate(scan_hours()):
        volumes, contact, lengths = phase_volumes(hour), interface(hour), tracks(hour)
        rows.append({
            "index": i,
            "file": str(timeline["file"].values[i]),
            "start": _iso(timeline["start"].values[i]),
            "end": _iso(timeline["end"].values[i]),
            "cycle": int(timeline["cycle"].values[i]) if cell else None,
            "step": str(timeline["step_kind"].values[i]) if cell else None,
            "charge_mAh": float(timeline["charge"].values[i]) if cell else None,
            "centre_px": _quantity(39.5, 0.06, "px"),
            "phase_volume_um3": {p: _bounds(volumes, "volume", "um3", phase=k) for k, p in enumerate(PHASES)},
            "untrusted_volume_um3": _bounds(volumes, "untrusted_volume", "um3"),
            "contact_area_um2": _bounds(contact, "contact_area", "um2"),
            "tracks": {n: _bounds(lengths, "length", "um", track=k) for k, n in enumerate(("protrusion", "particle"))},
        })
    return rows


def _spectra(cell: bool) -> list[dict[str, Any]]:
    timeline = spectrum_timeline(cell)
    rows = []
    for i, hour in enumerate(spectrum_hours()):
        edges = lattice(hour, i)
        a = [_quantity(edges["cell"].values[k, 0], 1.96 * edges["cell_std"].values[k, 0], "angstrom") for k in (0, 1)]
        rows.append({
            "index": i,
            "file": str(timeline["file"].values[i]),
            "time": _iso(timeline["start"].values[i]),
            "charge_mAh": float(timeline["charge"].values[i]) if cell else None,
            "lines": [],
            "lattice": {"In": {"a_angstrom": a[0]}, "InLi": {"a_angstrom": a[1]}},
        })
    return rows


def _cycles() -> list[dict[str, Any]]:
    table = cycles()
    names = {"charge": "mAh", "discharge": "mAh", "coulombic_efficiency": "1", "resistance": "ohm"}
    keys = {"charge": "charge_mAh", "discharge": "discharge_mAh", "resistance": "resistance_ohm"}
    return [
        {"cycle": i + 1, "c_rate": float(table["c_rate"].values[i])}
        | {
            keys.get(name, name): _quantity(table[name].values[i], 1.96 * table[f"{name}_std"].values[i], unit)
            for name, unit in names.items()
        }
        for i in range(4)
    ]


def _balances() -> list[dict[str, Any]]:
    table = balance()
    return [
        {
            "cycle": int(table["cycle"].values[i]) if table["cycle"].values[i] >= 0 else None,
            "step": str(table["step"].values[i]),
            "from_scan": int(table["from_scan"].values[i]),
            "to_scan": int(table["to_scan"].values[i]),
            "charge_mAh": _bounds(table, "charge", "mAh", pair=i),
            "morphological_um3": _bounds(table, "morphological", "um3", pair=i),
            "gross_gain_um3": _bounds(table, "gain", "um3", pair=i),
            "gross_loss_um3": _bounds(table, "loss", "um3", pair=i),
            "unaccounted_um3": _bounds(table, "unaccounted", "um3", pair=i),
            "candidates": [
                {
                    "reaction": str(reaction),
                    "electrochemical_um3": _bounds(table, "electrochemical", "um3", pair=i, reaction=k),
                    "ratio": _bounds(table, "ratio", "1", pair=i, reaction=k),
                }
                for k, reaction in enumerate(table["reaction"].values)
            ],
        }
        for i in range(table.sizes["pair"])
    ]


def _events() -> list[dict[str, Any]]:
    table = events()
    return [
        {
            "time": _iso(table["time"].values[i]),
            "low": _iso(table["low"].values[i]),
            "high": _iso(table["high"].values[i]),
            "charge_mAh": _bounds(table, "charge", "mAh", event=i),
            "kind": str(table["kind"].values[i]),
            "text": str(table["text"].values[i]),
        }
        for i in range(table.sizes["event"])
    ]


def summary(tomography: bool, diffraction: bool, cell: bool) -> dict[str, Any]:
    """The object of summary.json for the instruments that were there."""
    shift = {"value": 1.5e-3, "low": 1.3e-3, "high": 1.7e-3, "unit": "1"}
    text = "InLi: the lattice grew by 0.0015; strain and composition of a cubic phase look the same in its lines."
    cause = {
        "phase": "InLi",
        "from": 40,
        "to": 70,
        "shift": shift,
        "remaining": ["strain", "composition"],
        "excluded": ["overlap with In (211)", "energy scale"],
        "text": text,
    }
    return {
        "schema": 1,
        "operando": "0.1.0",
        "title": "Made-up InLi | Li10SnP2S12 | Li2S cell",
        "scans": _scans(cell) if tomography else [],
        "spectra": _spectra(cell) if diffraction else [],
        "cycles": _cycles() if cell else [],
        "volume_balance": _balances() if cell and tomography else [],
        "causes": [cause] if diffraction else [],
        "events": _events() if cell and tomography else [],
        "conclusion": ["Expected volumes assume that all of the current drives In + Li -> InLi."] if cell else [],
        "warnings": [{"file": "raw/edd_0012.med", "text": "live time 31.2 s is longer than real time 30.0 s <check>"}],
    }
