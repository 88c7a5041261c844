"""ASCII multi-element MCA (.med) as EPICS writes it at the APS: header, environment, one column an element."""

from pathlib import Path

from operando.twin.writers.counted import Counted

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write(path: Path, spectrum: Counted) -> Path:
    """Write one spectrum. The date is local time, English, without a zone."""
    elements, channels = spectrum.counts.shape
    when = spectrum.start
    date = f"{_MONTHS[when.month - 1]} {when:%d, %Y %H:%M:%S}.{when.microsecond // 1000:03d}"
    coefficients = spectrum.coefficients
    lines = [
        "VERSION:    3.1",
        f"ELEMENTS:             {elements:d}",
        f"DATE:       {date}",
        f"CHANNELS:           {channels:d}",
        f"ROIS:        {' '.join(['0'] * elements)}",
        f"REAL_TIME:   {' '.join(f'{t:.7f}' for t in spectrum.real_s)}",
        f"LIVE_TIME:   {' '.join(f'{t:.7f}' for t in spectrum.live_s)}",
        f"CAL_OFFSET:  {' '.join(_exponential(c) for c in coefficients[:, 0])}",
        f"CAL_SLOPE:   {' '.join(_exponential(c) for c in coefficients[:, 1])}",
        f"CAL_QUAD:    {' '.join(_exponential(c) for c in coefficients[:, 2])}",
        f"TWO_THETA:   {' '.join(f'{t:.7f}' for t in spectrum.two_theta_deg)}",
        f'ENVIRONMENT: TWIN:SampleName.VAL="{spectrum.title}" ( )',
        f'ENVIRONMENT: TWIN:RingCurrent.VAL="{spectrum.ring_current_ma:.4f}" (storage ring current, mA)',
        "DATA: ",
    ]
    lines += [" " + " ".join(str(int(n)) for n in row) for row in spectrum.counts.T]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def _exponential(value: float) -> str:
    """Three digits of exponent, as the beamline's Windows program writes them."""
    mantissa, exponent = f"{value:.7e}".split("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"
