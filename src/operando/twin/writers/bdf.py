"""Battery Data Format CSV (https://github.com/battery-data-alliance/battery-data-format), machine-readable names."""

from pathlib import Path

import numpy as np

from operando.twin.cycler import Record

_HEADER = (
    "test_time_second,unix_time_second,voltage_volt,current_ampere,step_index,"
    "charging_capacity_ah,discharging_capacity_ah,ambient_temperature_celsius"
)


def write(path: Path, record: Record, epoch: np.datetime64, temperature_c: float) -> Path:
    """Write the record; ``epoch`` is UTC of the experiment's start on the beamline's clock."""
    start = epoch.astype("datetime64[ns]").astype("int64") * 1e-9
    hours = np.diff(record.clock, prepend=record.clock[0]) / 3600.0
    moved = record.current * 1e-3 * hours
    columns = (
        record.clock - record.clock[0],
        record.step + 1,
        np.cumsum(np.clip(moved, 0, None)),
        np.cumsum(np.clip(-moved, 0, None)),
    )
    lines = [_HEADER]
    for n, (time, step, charged, discharged) in enumerate(zip(*columns, strict=True)):
        lines.append(
            f"{time:.3f},{start + record.clock[n]:.3f},{record.voltage[n]:.6f},{record.current[n] * 1e-3:.9g},"
            f"{step:d},{charged:.9g},{discharged:.9g},{temperature_c:.1f}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
