"""SPEC with ``@A`` arrays (https://certif.com/spec_manual/mca_user.html), the style of EDDI: one scan, one point."""

from pathlib import Path

import numpy as np

from operando.twin.writers.counted import Counted

_A_LINE = 16


def write(path: Path, spectrum: Counted) -> Path:
    """Write one spectrum; several elements are @A0, @A1, …"""
    elements, channels = spectrum.counts.shape
    date = spectrum.start.strftime("%a %b %d %H:%M:%S %Y")
    live, real = float(spectrum.live_s.mean()), float(spectrum.real_s.mean())
    offset, slope, quadratic = spectrum.coefficients[0]
    lines = [
        f"#F {path.name}",
        f"#E {spectrum.utc.astype('datetime64[s]').astype('int64'):d}",
        f"#D {date}",
        f"#C {spectrum.title}",
        "",
        f"#S 1  mcaacq {real:g}",
        f"#D {date}",
        f"#T {real:g}  (Seconds)",
        f"#@MCA %{_A_LINE}C",
        f"#@CHANN {channels:d} 0 {channels - 1:d} 1",
        f"#@CTIME {real:.6f} {live:.6f} {real:.6f}",
        f"#@CALIB {offset:.9g} {slope:.9g} {quadratic:.9g}",
        "#N 2",
        "#L Seconds  RingCurrent",
    ]
    for element, counts in enumerate(spectrum.counts):
        lines += _array("@A" if elements == 1 else f"@A{element}", counts)
    lines += [f"{real:g} {spectrum.ring_current_ma:.4f}", ""]
    path.write_text("\n".join(lines), encoding="ascii")
    return path


def _array(name: str, counts: np.ndarray) -> list[str]:
    """Sixteen channels a line, continued by backslashes."""
    words = [str(int(count)) for count in counts]
    rows = [" ".join(words[n : n + _A_LINE]) for n in range(0, len(words), _A_LINE)]
    return [f"{name} {rows[0]}\\", *(f" {row}\\" for row in rows[1:-1]), f" {rows[-1]}"]
