"""What a reader may be told about a file that the file itself does not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["tomography", "diffraction", "electrochemistry", "impedance", "volume", "pattern"]


@dataclass(frozen=True)
class ReadOptions:
    """Options common to all readers. A reader ignores what it does not need.

    ``require_time=False`` lets a file without a time zone through with NaT times: one instrument alone
    needs no absolute time.
    """

    time_zone: str | None = None
    start_time: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    positive_current: Literal["charge", "discharge"] = "charge"
    pixel_size_um: float | None = None
    two_theta_deg: float | None = None
    require_time: bool = True
