"""What happened when, at which charge, and what came first."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from operando.joint.contact import alike
from operando.joint.onset import Posterior, before, parted_onset, rise_onset, uniform
from operando.joint.timeline import as_seconds
from operando.model.clock import to_text
from operando.model.products.diffraction import PhasePresence
from operando.model.products.electrochemistry import Curve, Protocol, Resistances
from operando.model.products.joint import EVENTS, Events, ScanTimeline, SpectrumTimeline
from operando.model.products.morphology import Interface
from operando.model.step import Series, step

Origin = np.datetime64

ENOUGH_TOLD = 0.9
"""Share of the scans with measured gaps above which nothing is said of the others."""
WIDE = 0.25
"""Width of the bounds of contact loss beyond which an absent onset says little."""


@dataclass(frozen=True)
class Found:
    """An event: its kind, what happened in words, and when (seconds since the origin)."""

    kind: str
    what: str
    when: Posterior


@step(version=5)
def events(
    scan_timeline: ScanTimeline | None = None,
    interfaces: Series[Interface] | None = None,
    spectrum_timeline: SpectrumTimeline | None = None,
    presence: PhasePresence | None = None,
    resistances: Resistances | None = None,
    curve: Curve | None = None,
    protocol: Protocol | None = None,
) -> Events:
    """Find onsets of cavities, of contact loss, of phases and of a rise of resistance, each with its 95 % interval.

    An onset is a change point of the series with unknown shape (Bayesian, scatter from the series itself; half of
    the prior probability lies on the beginnings of the protocol's steps, for that is when things begin); with fewer
    than three scans before, the intervals of cavity and contact loss tell it, if they part. Gaps too thin to be seen
    may hide in every scan alike: an onset is that of gaps that can be seen. The charge is the record's at that
    instant, NaN outside the record. ``attrs["order"]`` is a JSON list that says for every two events with which
    probability the first came before the second. A warning says where cavities could not have been seen: that none
    were found does then not mean that there are none.
    """
    origin = _origin(scan_timeline, spectrum_timeline, curve)
    if origin is None:
        return _table([], np.datetime64(0, "ns"), None, None)
    starts = _step_starts(protocol, origin)
    found = [
        *_of_interface(scan_timeline, interfaces, origin, starts),
        *_of_phases(spectrum_timeline, presence, origin),
        *_of_resistance(resistances, origin, starts),
    ]
    table = _table(sorted(found, key=lambda event: event.when.likely), origin, curve, protocol)
    return table.assign_attrs(warnings=_untold(interfaces or (), found))


def _origin(*products: xr.Dataset | None) -> Origin | None:
    """The earliest time of all, as zero of the seconds."""
    times = [product["time" if "time" in product else "start"].values for product in products if product is not None]
    known = [time[~np.isnat(time)].min() for time in times if (~np.isnat(time)).any()]
    return min(known) if known else None


def _step_starts(protocol: xr.Dataset | None, origin: Origin) -> np.ndarray:
    """When the protocol's steps begin, in seconds: when the step before ended."""
    if protocol is None:
        return np.array([])
    return as_seconds(protocol["end"].values[:-1], origin)


def middles(timeline: xr.Dataset, dim: str, origin: Origin) -> dict[int, tuple[float, float]]:
    """Start and end of every exposure in seconds, by the frame's number."""
    start, end = as_seconds(timeline["start"].values, origin), as_seconds(timeline["end"].values, origin)
    return {int(frame): (float(start[k]), float(end[k])) for k, frame in enumerate(timeline[dim].values)}


_INTERFACE = (
    ("cavity_volume", "void_onset", "Cavities between anode and electrolyte begin to grow"),
    ("contact_loss_seen", "contact_loss_onset", "The anode begins to lose contact with the electrolyte"),
)


def _of_interface(
    timeline: xr.Dataset | None, interfaces: Sequence[xr.Dataset] | None, origin: Origin, starts: np.ndarray
) -> list[Found]:
    if timeline is None or not interfaces:
        return []
    exposure = middles(timeline, "scan", origin)
    rows = []
    for place, one in enumerate(interfaces):
        span = exposure.get(int(one.attrs.get("frame", place)), (np.nan, np.nan))
        rows.append((
            np.mean(span),
            *(float(one[f"{name}{end}"]) for name, _, _ in _INTERFACE for end in ("", "_low", "_high")),
        ))
    table = np.array(rows, float)
    seconds, found = table[:, 0], []
    for (_, kind, what), columns in zip(_INTERFACE, np.split(table[:, 1:], len(_INTERFACE), axis=1), strict=True):
        values, low, high = columns.T
        when = _rise(seconds, values, starts) or _parted(seconds, low, high, starts)
        found += [] if when is None else [Found(kind, what, when)]
    return found


def _untold(interfaces: Sequence[xr.Dataset], found: Sequence[Found]) -> list[str]:
    """Why no onset of cavities was found, where that is because gaps were not measured well enough to see one."""
    if not interfaces or any(event.kind == _INTERFACE[0][1] for event in found):
        return []
    low, high = (np.array([float(one[f"contact_loss_{side}"]) for one in interfaces]) for side in ("low", "high"))
    told = np.isfinite(high - low)
    reasons = []
    if told.mean() < ENOUGH_TOLD:
        reasons.append(f"gaps before the anode could not be measured in {np.sum(~told)} of {told.size} scans")
    if told.any() and np.median((high - low)[told]) > WIDE:
        hidden = 100 * float(np.median(high[told]))
        reasons.append(f"where they could, up to {hidden:.0f} % of the contact (median) may have been lost unseen")
    return [f"When cavities began is not told: {', and '.join(reasons)}."] if reasons else []


def _rise(
    seconds: np.ndarray, values: np.ndarray, starts: np.ndarray, stds: np.ndarray | None = None
) -> Posterior | None:
    order = np.argsort(seconds, kind="stable")
    return rise_onset(seconds[order], values[order], tuple(starts), None if stds is None else stds[order])


def _parted(seconds: np.ndarray, low: np.ndarray, high: np.ndarray, starts: np.ndarray) -> Posterior | None:
    order = np.argsort(seconds, kind="stable")
    return parted_onset(seconds[order], low[order], high[order], tuple(starts))


def _of_resistance(resistances: xr.Dataset | None, origin: Origin, starts: np.ndarray) -> list[Found]:
    """Only jumps read after a similar time are compared: the later, the more polarisation is in them.

    What is read after a jump is the cell's state at the jump, so that is its time.
    """
    if resistances is None or not resistances.sizes["jump"]:
        return []
    chosen = alike(resistances)
    seconds = (as_seconds(resistances["time"].values, origin) - resistances["delay"].values)[chosen]
    values, stds = (resistances[name].values[chosen] for name in ("resistance", "resistance_std"))
    when = _rise(seconds, values, starts, stds)
    return [] if when is None else [Found("resistance_rise_onset", "The cell's resistance begins to rise", when)]


def _of_phases(timeline: xr.Dataset | None, presence: xr.Dataset | None, origin: Origin) -> list[Found]:
    if timeline is None or presence is None:
        return []
    exposure = middles(timeline, "spectrum", origin)
    frames = presence["spectrum"].values.astype(int)
    seen = sorted((exposure[frame], k) for k, frame in enumerate(frames) if frame in exposure)
    spans = [span for span, _ in seen if np.isfinite(span).all()]
    places = [k for span, k in seen if np.isfinite(span).all()]
    found = []
    for column, phase in enumerate(presence["phase"].values):
        found += transitions(str(phase), spans, presence["present"].values[places, column].astype(bool))
    return found


def transitions(phase: str, spans: Sequence[tuple[float, float]], present: np.ndarray) -> list[Found]:
    """Appearances and disappearances that last at least two spectra; exposures ``spans`` in seconds.

    The change lies between the start of the last spectrum without and the end of the first with it.
    """
    steady = steadied(present)
    found = []
    for k, (was, now) in enumerate(pairwise(steady)):
        if was == now:
            continue
        kind, verb = ("phase_onset", "appears") if now else ("phase_end", "disappears")
        found.append(Found(kind, f"{phase} {verb}", uniform(spans[k][0], spans[k + 1][1])))
    return found


def steadied(present: np.ndarray) -> np.ndarray:
    """The series without single spectra that differ from both neighbours."""
    steady = present.copy()
    lone = (present[1:-1] != present[:-2]) & (present[1:-1] != present[2:])
    steady[1:-1][lone] = present[:-2][lone]
    return steady


def _table(found: Sequence[Found], origin: Origin, curve: xr.Dataset | None, protocol: xr.Dataset | None) -> xr.Dataset:
    instants = [_instants(event.when, origin) for event in found]
    charges = [charge_within(curve, times) for times in instants]
    texts = [_sentence(*row, protocol) for row in zip(found, instants, charges, strict=True)]
    time = np.array(instants, "datetime64[ns]").reshape(len(found), 3)
    charge = np.array(charges, float).reshape(len(found), 3)
    return EVENTS.new(
        attrs={"order": json.dumps(_order(found))},
        time=time[:, 0],
        low=time[:, 1],
        high=time[:, 2],
        charge=charge[:, 0],
        charge_low=charge[:, 1],
        charge_high=charge[:, 2],
        kind=np.array([event.kind for event in found], object),
        text=np.array(texts, object),
    )


def _instants(when: Posterior, origin: Origin) -> list[np.datetime64]:
    """The likely instant and the ends of its 95 % interval, to whole seconds (outwards)."""
    likely, low, high = (when.quantile(p) for p in (0.5, 0.025, 0.975))
    first = (origin.astype("datetime64[ns]").astype("int64") % 1_000_000_000) * 1e-9
    whole = (round(likely + first), math.floor(low + first + 1e-6), math.ceil(high + first - 1e-6))
    second = origin.astype("datetime64[s]").astype("datetime64[ns]")
    return [second + np.timedelta64(seconds, "s") for seconds in whole]


def _order(found: Sequence[Found]) -> list[dict[str, float]]:
    return [
        {"first": i, "second": j, "probability": round(before(found[i].when, found[j].when), 4)}
        for i in range(len(found))
        for j in range(i + 1, len(found))
    ]


def charge_within(curve: xr.Dataset | None, times: Sequence[np.datetime64]) -> tuple[float, float, float]:
    """Charge at the likely time and the least and greatest within the interval; NaN outside the record."""
    if curve is None:
        return (float("nan"),) * 3
    record = curve["time"].values
    if times[1] < record[0] or times[2] > record[-1]:
        return (float("nan"),) * 3
    seconds = as_seconds(record, record[0])
    at = as_seconds(np.array(times), record[0])
    charge = curve["charge"].values
    inside = charge[(seconds > at[1]) & (seconds < at[2])]
    ends = np.interp(at, seconds, charge)
    reached = np.concatenate([ends, inside])
    return float(ends[0]), float(reached.min()), float(reached.max())


def _sentence(
    event: Found, times: Sequence[np.datetime64], charge: tuple[float, float, float], protocol: xr.Dataset | None
) -> str:
    parts = [f"{event.what} at {_short(times[0])} ({_short(times[1])} to {_short(times[2])})"]
    if np.isfinite(charge[0]):
        parts.append(f"at {charge[0]:.4g} mAh")
    if protocol is not None:
        parts += _step_at(protocol, times[0])
    return ", ".join(parts) + "."


def _step_at(protocol: xr.Dataset, time: np.datetime64) -> list[str]:
    """The step that holds an instant; what happens as one step ends belongs to the next."""
    time = time + np.timedelta64(1, "s")
    inside = np.flatnonzero((protocol["start"].values <= time) & (time <= protocol["end"].values))
    if not inside.size:
        return []
    k = int(inside[-1])
    return [f"during the {protocol['kind'].values[k]} of cycle {int(protocol['cycle'].values[k])}"]


def _short(time: np.datetime64) -> str:
    return str(to_text(time.astype("datetime64[s]").astype("datetime64[ns]")))


def order_of(events: xr.Dataset) -> list[Mapping[str, float]]:
    """For every two events (by their place) the probability that the first came before the second."""
    return list(json.loads(events.attrs.get("order", "[]")))
