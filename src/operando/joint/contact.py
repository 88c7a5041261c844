"""The cell's resistance against the anode's contact area."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from pydantic import Field

from operando.joint.timeline import as_seconds
from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import Resistances
from operando.model.products.joint import CONTACT, Contact, ScanTimeline
from operando.model.products.morphology import Interface
from operando.model.step import Series, step

FEWEST = 5


class ContactParams(Parameters):
    """Which scan belongs to a jump of the current."""

    longest_lag_s: float = Field(
        default=900.0, description="largest time between a jump and the middle of its scan, s", gt=0, le=86400
    )


DEFAULTS = ContactParams()


@step(version=2)
def contact(
    scan_timeline: ScanTimeline,
    interfaces: Series[Interface],
    resistances: Resistances,
    params: ContactParams = DEFAULTS,
) -> Contact:
    """Pair every resistance (ohm) with the contact area (µm²) of the scan nearest in time, and fit a power law.

    ``exponent`` is the median slope of log R against log A with its 95 % interval (Theil and Sen; Sen 1968,
    https://doi.org/10.1080/01621459.1968.10480934): −1 if the contact is all of the resistance, 0 if it does not
    matter; NaN with fewer than five points or areas that can't be told apart. Only jumps read after a similar delay
    are compared.
    """
    areas = _areas(scan_timeline, interfaces)
    rows = _pairs(scan_timeline, areas, resistances, params.longest_lag_s)
    scans = [row[0] for row in rows]
    bounds = np.array([areas[scan] for scan in scans], float).reshape(len(rows), 3)
    found = resistances.isel(jump=[row[1] for row in rows])
    told_apart = len(rows) > 0 and np.ptp(bounds[:, 0]) > np.median(bounds[:, 2] - bounds[:, 1])
    nothing = (float("nan"),) * 3
    low, middle, high = exponent(bounds[:, 0], found["resistance"].values) if told_apart else nothing
    return CONTACT.new(
        scan=np.array(scans, int),
        contact_area=bounds[:, 0],
        contact_area_low=bounds[:, 1],
        contact_area_high=bounds[:, 2],
        resistance=found["resistance"].values,
        resistance_std=found["resistance_std"].values,
        lag=np.array([row[2] for row in rows], float),
        exponent=middle,
        exponent_low=low,
        exponent_high=high,
    )


def alike(resistances: xr.Dataset) -> np.ndarray:
    """True for jumps read within a factor of three of the usual delay: the later, the more polarisation is in them."""
    delay = np.maximum(resistances["delay"].values, 1e-3)
    return np.asarray(np.abs(np.log10(delay / np.median(delay))) < 0.5) if delay.size else np.zeros(0, bool)


def _areas(timeline: xr.Dataset, interfaces: Sequence[xr.Dataset]) -> dict[int, tuple[float, float, float]]:
    """Contact area and its bounds by the scan's number."""
    known = {int(scan) for scan in timeline["scan"].values}
    found = {}
    for k, one in enumerate(interfaces):
        scan = int(one.attrs.get("frame", k))
        area, low, high = (float(one[f"contact_area{side}"]) for side in ("", "_low", "_high"))
        if scan in known and np.isfinite(area):
            found[scan] = (area, low, high)
    return found


def _pairs(
    timeline: xr.Dataset, areas: dict[int, tuple[float, float, float]], resistances: xr.Dataset, longest_s: float
) -> list[tuple[int, int, float]]:
    """Scan, jump and lag (s) of every jump that has a scan near enough."""
    origin = np.datetime64(0, "ns")
    start, end = (as_seconds(timeline[name].values, origin) for name in ("start", "end"))
    scans = timeline["scan"].values.astype(int)
    usable = np.array([int(scan) in areas for scan in scans], bool) & np.isfinite(start) & np.isfinite(end)
    middle, scans = ((start + end) / 2)[usable], scans[usable]
    rows: list[tuple[int, int, float]] = []
    if not scans.size:
        return rows
    times = as_seconds(resistances["time"].values, origin)
    for jump in np.flatnonzero(alike(resistances)):
        nearest = int(np.argmin(np.abs(middle - times[jump])))
        lag = float(times[jump] - middle[nearest])
        if abs(lag) <= longest_s:
            rows.append((int(scans[nearest]), int(jump), lag))
    return rows


def exponent(area: np.ndarray, resistance: np.ndarray) -> tuple[float, float, float]:
    """Low, median and high slope of log resistance against log area."""
    from scipy.stats import theilslopes

    good = (area > 0) & (resistance > 0)
    if good.sum() < FEWEST or np.ptp(np.log(area[good])) == 0:
        return float("nan"), float("nan"), float("nan")
    found = theilslopes(np.log(resistance[good]), np.log(area[good]), 0.95)
    return float(found.low_slope), float(found.slope), float(found.high_slope)
