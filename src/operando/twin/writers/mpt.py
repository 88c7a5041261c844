"""EC-Lab's text export (.mpt): a counted header, tab-separated columns, local time without a zone."""

from datetime import datetime
from pathlib import Path

import numpy as np

from operando.twin.cycler import Record
from operando.twin.impedance import Spectrum

_RECORD = ("mode", "ox/red", "error", "control changes", "Ns changes", "counter inc.", "Ns", "time/s", "control/V/mA",
           "Ewe/V", "I/mA", "dq/mA.h", "(Q-Qo)/mA.h", "Q charge/discharge/mA.h", "half cycle")  # fmt: skip
_IMPEDANCE = (
    "freq/Hz",
    "Re(Z)/Ohm",
    "-Im(Z)/Ohm",
    "|Z|/Ohm",
    "Phase(Z)/deg",
    "time/s",
    "<Ewe>/V",
    "<I>/mA",
    "cycle number",
)


def write(path: Path, record: Record, start: datetime) -> Path:
    """Write the record; ``start`` is the cycler's local time at its first sample."""
    hours = np.diff(record.clock, prepend=record.clock[0]) / 3600.0
    moved = record.current * hours
    total = np.cumsum(moved)
    changes = np.diff(record.step, prepend=record.step[0]) != 0
    turned = np.cumsum(np.diff(np.sign(record.current), prepend=np.sign(record.current[0])) != 0)
    rows = []
    elapsed = record.clock - record.clock[0]
    for n in range(len(elapsed)):
        flags = ["1", str(int(record.current[n] > 0)), "0", "0", str(int(changes[n])), "0", str(record.step[n])]
        single = [record.current[n], record.voltage[n], record.current[n]]
        double = [moved[n], total[n], total[n]]
        numbers = [_exponent(elapsed[n], 15), *map(_exponent, single), *(_exponent(value, 15) for value in double)]
        rows.append("\t".join([*flags, *numbers, str(turned[n])]))
    return _save(path, "Galvanostatic Cycling with Potential Limitation", start, _RECORD, rows)


def write_impedance(path: Path, spectra: list[Spectrum], start: datetime) -> Path:
    """Write impedance spectra of one technique, their times counted from ``start``."""
    rows = []
    for number, spectrum in enumerate(spectra, 1):
        for frequency, z, time in zip(spectrum.frequency, spectrum.impedance, spectrum.seconds, strict=True):
            values = (frequency, z.real, -z.imag, abs(z), np.degrees(np.angle(z)), time, spectrum.voltage, 0.0)
            rows.append("\t".join([*(_exponent(value, 15) for value in values), f"{number:d}"]))
    return _save(path, "Potentio Electrochemical Impedance Spectroscopy", start, _IMPEDANCE, rows)


def _save(path: Path, technique: str, start: datetime, labels: tuple[str, ...], rows: list[str]) -> Path:
    header = [
        "",
        technique,
        "",
        "Run on channel : 1 (SN 0)",
        "Electrode connection : standard",
        "Potential control : Ewe",
        f"Acquisition started on : {start:%m/%d/%Y %H:%M:%S}.{start.microsecond // 1000:03d}",
        "Device : simulated",
        "Cycle Definition : Charge/Discharge alternance",
        "",
    ]
    lines = ["EC-Lab ASCII FILE", f"Nb header lines : {len(header) + 3:d}", *header, "\t".join(labels), *rows]
    path.write_bytes("\r\n".join([*lines, ""]).encode("latin-1"))
    return path


def _exponent(value: float, digits: int = 7) -> str:
    """Three digits of exponent, as EC-Lab writes them."""
    mantissa, exponent = f"{value:.{digits}E}".split("E")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):03d}"
