"""What the times of two instruments say about their clocks: sentences, never corrections."""

import numpy as np

from operando.model.clock import to_text

HOUR_S = 3600.0


def repeated_times(files: np.ndarray, start: np.ndarray) -> list[str]:
    """A sentence for every two files that claim the same start."""
    sentences = []
    first: dict[int, str] = {}
    for file, time in zip(files, start, strict=True):
        if np.isnat(time):
            continue
        key = int(time.astype("int64"))
        if key in first:
            sentences.append(
                f"{file}: it starts at {to_text(time)}, the same time as {first[key]}; one of them is wrong."
            )
        first.setdefault(key, str(file))
    return sentences


def clock_warnings(word: str, files: np.ndarray, start: np.ndarray, end: np.ndarray, record: np.ndarray) -> list[str]:
    """Sentences about exposures outside the cycler's record, and about clocks that seem whole hours apart."""
    sentences = []
    for file, begin, finish in zip(files, start, end, strict=True):
        if np.isnat(begin) or np.isnat(finish):
            sentences.append(f"{file}: it has no absolute time, so its charge, cycle and step can't be known.")
        elif finish < record[0] or begin > record[-1]:
            sentences.append(
                f"{file}: it was taken from {to_text(begin)} to {to_text(finish)}, outside the cycler's record "
                f"({to_text(record[0])} to {to_text(record[-1])}); its charge, cycle and step are left empty."
            )
        elif begin < record[0] or finish > record[-1]:
            sentences.append(
                f"{file}: its exposure ({to_text(begin)} to {to_text(finish)}) lies partly outside the cycler's record "
                f"({to_text(record[0])} to {to_text(record[-1])}); its charge is left empty."
            )
    hours = whole_hours_apart(start, end, record)
    if hours:
        sentences.append(
            f"The {word} series begins and ends {abs(hours)} h {'before' if hours < 0 else 'after'} the cycler's "
            "record: their clocks probably differ by a time zone or summer time; check time_zone and clock_offset_s."
        )
    return sentences


def whole_hours_apart(start: np.ndarray, end: np.ndarray, record: np.ndarray) -> int:
    """Whole hours by which the series is shifted against the record, 0 if it isn't.

    Both its beginning and its end must be off by the same number of hours, to the series' own rhythm (at least
    10 minutes, at most 25).
    """
    known = ~(np.isnat(start) | np.isnat(end))
    if known.sum() < 2:
        return 0
    second = np.timedelta64(1, "s")
    rhythm = float(np.median(np.diff(np.sort(start[known]))) / second)
    tolerance = min(max(600.0, rhythm), 1500.0)
    at_start = float((start[known].min() - record[0]) / second)
    at_end = float((end[known].max() - record[-1]) / second)
    hours = round((at_start + at_end) / 2 / HOUR_S)
    near = all(abs(shift - hours * HOUR_S) <= tolerance for shift in (at_start, at_end))
    return hours if near else 0
