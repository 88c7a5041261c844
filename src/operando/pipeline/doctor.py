"""What this machine offers: the findings of ``operando doctor``."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass

from operando.pipeline.executor import available_memory_bytes, default_workers


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``severe`` ones keep operando from working."""

    what: str
    found: str
    remark: str = ""
    severe: bool = False


EXTRAS = {
    "cupy": ("gpu", "reconstruction on a GPU"),
    "galvani": ("biologic", "BioLogic .mpr"),
    "fastnda": ("neware", "Neware .nda and .ndax"),
    "SpecUtils": ("spectrometers", "more gamma spectrometer formats"),
    "av": ("movie", "the movie"),
    "dask_jobqueue": ("cluster", "SLURM and other batch systems"),
    "pyvista": ("3d", "3D renderings"),
    "anywidget": ("notebook", "the viewer in a notebook"),
}


def examine() -> list[Finding]:
    """Look at everything; nothing is changed and nothing heavy is computed."""
    return [*_machine(), _threading_layer(), _gpu(), *_extras(), _browser()]


def _machine() -> list[Finding]:
    cores = len(os.sched_getaffinity(0))
    memory = available_memory_bytes() / 2**30
    free = shutil.disk_usage(".").free / 1e9
    remark = "" if memory >= 4 else "less than 4 GiB: slabs will be thin and slow"
    return [
        Finding("Python", sys.version.split()[0]),
        Finding("cores", str(cores), f"{default_workers()} worker processes by default"),
        Finding("memory", f"{memory:.1f} GiB", remark or f"{memory / 2:.1f} GiB are used by default"),
        Finding(
            "disk free here", f"{free:.0f} GB", "" if free > 50 else "a full-size scan needs about 20 GB of results"
        ),
        Finding("FFT", f"scipy {importlib.metadata.version('scipy')} (pocketfft)"),
    ]


def _threading_layer() -> Finding:
    """numba's ``workqueue`` layer aborts the process when two Python threads use it."""
    chosen = os.environ.get("NUMBA_THREADING_LAYER", "default")
    if chosen == "workqueue":
        return Finding(
            "numba threads",
            chosen,
            "workqueue aborts under two Python threads; unset NUMBA_THREADING_LAYER",
            severe=True,
        )
    return Finding("numba threads", f"numba {importlib.metadata.version('numba')}, layer {chosen}")


def _gpu() -> Finding:
    if importlib.util.find_spec("cupy") is None:
        return Finding("GPU", "not used", "pip install 'operando[gpu]' to use one")
    import cupy

    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return Finding("GPU", "none", str(error))
    names = [cupy.cuda.runtime.getDeviceProperties(n)["name"].decode() for n in range(count)]
    return Finding("GPU", ", ".join(names) or "none")


def _extras() -> list[Finding]:
    return [
        Finding(purpose, "installed" if importlib.util.find_spec(module) else "not installed", _how(module, extra))
        for module, (extra, purpose) in EXTRAS.items()
    ]


def _how(module: str, extra: str) -> str:
    return "" if importlib.util.find_spec(module) else f"pip install 'operando[{extra}]'"


def _browser() -> Finding:
    names = ("chromium", "google-chrome", "firefox")
    found = next((path for name in names if (path := shutil.which(name))), None)
    return Finding(
        "browser", found or "none on the PATH", "" if found else "`operando view` prints its address instead"
    )
