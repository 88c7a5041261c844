"""Small products to test the joining with."""

import numpy as np

from operando.electrochemistry.curve import curve
from operando.model.products.joint import SCAN_EXPOSURE, SPECTRUM_EXPOSURE
from operando.model.products.morphology import DIFFERENCE
from operando.model.products.raw import RECORD

START = np.datetime64("2018-05-04T06:00:00", "ns")


def at(seconds):
    """UTC times this many seconds after START."""
    return START + (np.asarray(seconds, float) * 1e9).round().astype("int64").astype("timedelta64[ns]")


def record(steps, every=30.0, start=0.0, resistance_ohm=400.0, noise_v=0.0, seed=0, file="cell.csv"):
    """A cycler file of (hours, mA) steps, sampled twice at every jump as cyclers do."""
    seconds, current = [], []
    clock = start
    for hours, level in steps:
        inside = np.arange(0.0, hours * 3600.0, every)
        inside = np.append(inside, hours * 3600.0)
        seconds.append(clock + inside)
        current.append(np.full(inside.size, level))
        clock += hours * 3600.0
    seconds, current = np.concatenate(seconds), np.concatenate(current)
    charge = np.concatenate([[0.0], np.cumsum(np.diff(seconds) * (current[1:] + current[:-1]) / 7200)])
    voltage = 1.5 + 0.5 * charge + current * resistance_ohm * 1e-3
    voltage = voltage + noise_v * np.random.default_rng(seed).normal(size=voltage.size)
    return RECORD.new(time=at(seconds), voltage=voltage, current=current, attrs={"file": file, "frame": 0})


def exposures(starts, length, contract=SCAN_EXPOSURE, name="scan_{:04d}.nxs"):
    """Exposures of equal length at these seconds."""
    return [
        contract.new(start=at(s), end=at(s + length), ring_current=np.nan, attrs={"file": name.format(k), "frame": k})
        for k, s in enumerate(starts)
    ]


def spectra_exposures(starts, length):
    """The same for spectra."""
    return exposures(starts, length, SPECTRUM_EXPOSURE, "spectrum_{:04d}.med")


def difference(net, std, frame, gain=None, loss=None):
    """A measured difference with normal 95 % bounds; ``frame`` holds the numbers of both scans."""
    half = 1.96 * std
    gain, loss = net if gain is None else gain, 0.0 if loss is None else loss
    values = {"net": net, "gain": gain, "loss": loss, "cavity_change": 0.0}
    bounds = {f"{k}_{s}": v + sign * half for k, v in values.items() for s, sign in (("low", -1), ("high", 1))}
    return filled(DIFFERENCE, attrs={"frame": frame}, **values, **bounds)


PAPER_STEPS = [(5.0, 0.010), (0.5, 0.0)] + [
    step
    for current, hours in ((0.16324, 0.9), (0.08162, 1.8), (0.04081, 3.6), (0.016324, 9.4))
    for step in ((hours, current), (0.25, 0.0), (0.8 * hours, -current), (0.25, 0.0))
]
"""The paper's protocol: conditioning, then 1C, 0.5C, 0.25C and 0.1C with rests between."""


def paper_curve(**options):
    """Curve and protocol of the paper's steps."""
    return curve([record(PAPER_STEPS, **options)])


def filled(contract, coords=None, attrs=None, **arrays):
    """A product of another room with only what the joining reads; the rest is empty."""
    sizes = {}
    for name, variable in contract.all_variables().items():
        if name in arrays:
            sizes |= dict(zip(variable.dims, np.shape(arrays[name]), strict=True))
    for name, variable in contract.all_variables().items():
        if name in arrays or variable.optional:
            continue
        shape = tuple(sizes.get(dim, 1) for dim in variable.dims)
        empty = {"time": np.datetime64("NaT", "ns"), "text": ""}.get(variable.unit, np.nan)
        arrays[name] = np.full(shape, empty, object if variable.unit == "text" else None)
    return contract.new(coords=coords, attrs=attrs, **arrays)
