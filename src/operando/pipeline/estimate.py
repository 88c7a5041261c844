"""What a run would need: bytes on disk before compression, and memory."""

from dataclasses import dataclass

from operando.model.errors import OperandoError
from operando.pipeline import raw
from operando.pipeline.events import Options, Report
from operando.pipeline.memory import granted

TRUST_BYTES = 2 * 4 / 4**3
"""Bytes a voxel of the trust map: two float32 variables at quarter resolution."""


@dataclass(frozen=True)
class Need:
    """Bytes of the volumes (trust maps included) that are to be made, and the memory that may be used."""

    volume_bytes: int
    memory_bytes: int


def needed(found: raw.RawFiles, report: Report, options: Options, *, integers: bool) -> Need:
    """Estimate for the scans that are not reconstructed yet; a scan that can't be opened needs nothing."""
    stale = {frame for _, frame, _ in report.stale}
    total = 0.0
    for frame in found.of("scan"):
        if frame.key not in stale:
            continue
        try:
            sizes = raw.open_frame(frame).sizes
        except OperandoError:
            continue
        total += sizes["row"] * sizes["column"] ** 2 * ((2 if integers else 4) * 8 / 7 + TRUST_BYTES)
    return Need(int(total), granted(options.memory_bytes))
