"""What a tomography writer gets: the frames of one scan, one after the other, and what is known about them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from operando.model.products.raw import DARK, FLAT, PROJECTION

__all__ = ["DARK", "FLAT", "PROJECTION", "Frames"]


@dataclass(frozen=True)
class Frames:
    """One scan. ``angle`` in degrees, ``time`` UTC ns at the start of each frame, ``ring_current`` in mA."""

    title: str
    shape: tuple[int, int]
    key: np.ndarray
    angle: np.ndarray
    time: np.ndarray
    ring_current: np.ndarray
    exposure_s: float
    pixel_um: float
    images: Iterator[np.ndarray]

    def selected(self, key: int) -> np.ndarray:
        """Indices of the frames of one kind."""
        return np.flatnonzero(self.key == key)
