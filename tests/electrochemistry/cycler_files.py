"""Small cycler files to test with."""

import numpy as np

from operando.model.products.raw import RECORD

START = np.datetime64("2018-05-04T06:00:00", "ns")


def at(seconds):
    """UTC times this many seconds after START."""
    return START + (np.asarray(seconds, float) * 1e9).round().astype("int64").astype("timedelta64[ns]")


def cycler_file(steps, every=30.0, start=0.0, ohm=400.0, noise_v=0.0, noise_ma=0.0, seed=0, file="cell.csv", **more):
    """A record of (hours, mA) steps, with a sample on either side of every jump, as cyclers write."""
    seconds, current, clock = [], [], start
    for hours, level in steps:
        inside = np.append(np.arange(0.0, hours * 3600.0, every), hours * 3600.0)
        seconds.append(clock + inside)
        current.append(np.full(inside.size, level))
        clock += hours * 3600.0
    seconds, current = np.concatenate(seconds), np.concatenate(current)
    charge = np.concatenate([[0.0], np.cumsum(np.diff(seconds) * (current[1:] + current[:-1]) / 7200)])
    rng = np.random.default_rng(seed)
    voltage = 1.5 + 0.5 * charge + current * ohm * 1e-3 + noise_v * rng.normal(size=current.size)
    current = current + noise_ma * rng.normal(size=current.size)
    return RECORD.new(time=at(seconds), voltage=voltage, current=current, attrs={"file": file, "frame": 0}, **more)
