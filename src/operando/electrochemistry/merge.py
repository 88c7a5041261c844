"""Join the cycler's files of one cell into one record, in order of time, and say what was odd about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from operando.model.clock import to_text
from operando.model.errors import ConfigurationError


@dataclass(frozen=True)
class Merged:
    """Samples of all files: ``time`` (datetime64[ns]), ``voltage`` (V), ``current`` (mA), the instrument's own
    ``charge`` (mAh, NaN where it gives none), the number of the ``file``, and where its current is a mean since
    the previous sample (as the reader says) rather than an instantaneous value."""

    time: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    own_charge: np.ndarray
    file: np.ndarray
    mean_current: np.ndarray
    warnings: tuple[str, ...]

    def select(self, keep: np.ndarray, *warnings: str) -> "Merged":
        """Only the samples where ``keep``, with more to say."""
        return Merged(
            time=self.time[keep],
            voltage=self.voltage[keep],
            current=self.current[keep],
            own_charge=self.own_charge[keep],
            file=self.file[keep],
            mean_current=self.mean_current[keep],
            warnings=self.warnings + warnings,
        )


def name_of(record: xr.Dataset, number: int) -> str:
    """The record's file, or what else to call it."""
    return str(record.attrs.get("file", f"cycler file {number + 1}"))


def merge(records: Sequence[xr.Dataset]) -> Merged:
    """Join records in order of their first sample.

    Samples without time or current, exact repetitions and samples that go back in time (inside a file, or a file
    that begins before the one before it ends) are left out, each with a sentence.
    """
    cleaned = [clean(record, name_of(record, number)) for number, record in enumerate(records)]
    order = sorted(range(len(cleaned)), key=lambda number: cleaned[number].time[0])
    parts: list[Merged] = []
    warnings: list[str] = []
    for position, number in enumerate(order):
        part = cleaned[number]
        if parts:
            part = without_overlap(
                parts[-1], part, name_of(records[order[position - 1]], 0), name_of(records[number], 0)
            )
        warnings += part.warnings
        if part.time.size:
            parts.append(part)
    return _concatenate(parts, warnings)


def _concatenate(parts: list[Merged], warnings: list[str]) -> Merged:
    return Merged(
        time=np.concatenate([part.time for part in parts]),
        voltage=np.concatenate([part.voltage for part in parts]),
        current=np.concatenate([part.current for part in parts]),
        own_charge=np.concatenate([part.own_charge for part in parts]),
        file=np.repeat(np.arange(len(parts)), [part.time.size for part in parts]),
        mean_current=np.concatenate([part.mean_current for part in parts]),
        warnings=tuple(warnings),
    )


def clean(record: xr.Dataset, file: str) -> Merged:
    """One record without unusable samples. Raises ``ConfigurationError`` where no sample has a time."""
    size = record.sizes["sample"]
    own = np.asarray(record["charge"].values, float) if "charge" in record else np.full(size, np.nan)
    samples = Merged(
        time=np.asarray(record["time"].values, "datetime64[ns]"),
        voltage=np.asarray(record["voltage"].values, float),
        current=np.asarray(record["current"].values, float),
        own_charge=own,
        file=np.zeros(size, int),
        mean_current=np.full(size, record.attrs.get("current_kind") == "mean"),
        warnings=tuple(f"{file}: {text}" for text in record.attrs.get("warnings", ())),
    )
    if size == 0 or np.isnat(samples.time).all():
        raise ConfigurationError(
            f"{file}: none of its {size} samples has an absolute time; give start_time in [electrochemistry]."
        )
    usable = np.isfinite(samples.current) & ~np.isnat(samples.time)
    if not usable.any():
        raise ConfigurationError(
            f"{file}: none of its {size} samples has a current; export the file with its current column."
        )
    samples = _left_out(samples, usable, file, "have no time or no current")
    forward = samples.time >= np.maximum.accumulate(samples.time)
    samples = _left_out(samples, forward, file, "go back in time")
    repeated = np.zeros(samples.time.size, bool)
    repeated[1:] = (
        (np.diff(samples.time).astype("int64") == 0)
        & (np.diff(samples.current) == 0)
        & (np.diff(np.nan_to_num(samples.voltage)) == 0)
    )
    return _left_out(samples, ~repeated, file, "repeat the one before")


def _left_out(samples: Merged, keep: np.ndarray, file: str, why: str) -> Merged:
    lost = int((~keep).sum())
    if not lost:
        return samples
    return samples.select(keep, f"{file}: {lost} of {keep.size} samples {why} and were left out.")


def without_overlap(earlier: Merged, later: Merged, earlier_file: str, later_file: str) -> Merged:
    """``later`` without the samples that lie inside ``earlier``, with a sentence if there are any."""
    again = (later.time == earlier.time[-1]) & (later.current == earlier.current[-1])
    inside = (later.time < earlier.time[-1]) | again
    if not inside.any():
        return later
    overlap = (earlier.time[-1] - later.time[0]) / np.timedelta64(1, "s")
    return later.select(
        ~inside,
        f"{later_file}: it begins at {to_text(later.time[0])}, {overlap:.1f} s before {earlier_file} ends; its first "
        f"{int(inside.sum())} samples were left out{_hour_hint(overlap)}.",
    )


def _hour_hint(seconds: float) -> str:
    """Overlaps of about a whole hour come from time zones."""
    hours = round(seconds / 3600)
    if hours >= 1 and abs(seconds - 3600 * hours) < 120:
        return f" (about {hours} h: check time_zone and summer time)"
    return ""
