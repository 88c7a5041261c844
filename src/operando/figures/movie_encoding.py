"""H.264 in MP4 from frames, through PyAV or the system's ffmpeg."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from operando.model.errors import OperandoError

Encoder = Callable[[Path, Iterator[np.ndarray], float], None]


def encoder() -> Encoder:
    """Choose what can encode here; raises ``OperandoError`` with one sentence where nothing can."""
    try:
        import av  # noqa: F401
    except ImportError:
        if shutil.which("ffmpeg") is None:
            raise OperandoError(
                "The movie needs PyAV or ffmpeg to write H.264 and found neither; "
                "install one with `pip install operando[movie]`."
            ) from None
        return _with_ffmpeg
    return _with_av


def _with_av(path: Path, frames: Iterator[np.ndarray], fps: float) -> None:
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        first = next(frames)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "medium"}
        for pixels in chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _with_ffmpeg(path: Path, frames: Iterator[np.ndarray], fps: float) -> None:
    first = next(frames)
    height, width = first.shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    coded = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
    command = ["ffmpeg", "-loglevel", "error", "-y", *raw, *coded]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for pixels in chain([first], frames):
            process.stdin.write(pixels.tobytes())
        process.stdin.close()
    if process.returncode:
        raise OperandoError(
            f"{path}: ffmpeg ended with status {process.returncode}; try `pip install operando[movie]`."
        )
