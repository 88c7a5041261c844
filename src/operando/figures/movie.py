"""The movie of everything: slices, diffraction with a moving line, voltage with a moving dot, lengths, clock.

Every frame is a pure function of the results: the same index gives the same pixels, whatever was drawn before.
"""

from pathlib import Path

import numpy as np

from operando.figures.movie_encoding import encoder
from operando.figures.movie_stage import prepare
from operando.figures.source import Source

FPS = 6.0


def length(source: Source) -> int:
    """Number of frames."""
    return len(prepare(source).moments)


def frame(source: Source, index: int) -> np.ndarray:
    """One frame, (1080, 1920, 3) uint8; a pure function of the results and ``index``."""
    return prepare(source).show(index)


def write(source: Source, path: str | Path, fps: float = FPS, every: int = 1) -> Path:
    """Write the movie, every ``every``-th frame of it, as H.264 in MP4, through PyAV or else the system's ffmpeg.

    Raises ``OperandoError`` where neither is there, before anything is drawn.
    """
    path = Path(path)
    encode = encoder()
    stage = prepare(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")
    encode(part, (stage.show(index) for index in range(0, len(stage.moments), every)), fps)
    part.replace(path)
    return path
