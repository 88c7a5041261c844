"""A seeded share of ``make fuzz``: spoilt files end in a sentence, at once and without swallowing the memory."""

import base64
import contextlib
import random
import resource
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import format_files
import h5py
import mutations
import numpy as np
import pytest

from operando.formats.catalogue import formats
from operando.model.errors import BrokenFileError, OperandoError
from operando.model.reading import ReadOptions

KNOWN = {known.name: known for known in formats()}
COLUMNS = {"time_s": "t", "voltage_V": "Ewe", "current_mA": "I"}
OPTIONS = ReadOptions(require_time=False, time_zone="UTC", columns=COLUMNS)
INPUTS = 120
ENDLESS = (
    b"c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvf9&n=aVe$!3nh{EOK<O1sFmXn(oCH){5NbZUx{x4OSCDF$>7(+a@}u&j@}u&!kVgPmI"
    b"c~rLp*a{v!AJxiu8sj9Is(dvwE|8sp{h$sEJ;MJ?>#8Amyv-LViqHeZvmm1Ap+232~-6EY)~4PI5V)N0n#a`AP-fez#z`SAY"
    b"Knw&jFTaVq#*1q<2Wm1ZW*J=|5mZbzufw<0073-v!iSg5^U6W=c&20Lti>X8"
)
"""An HDF5 file that the fuzzing found, packed: the library walks through its groups for ever."""
HDF5 = ("nxtomo", "data_exchange", "nexus_spectra", "hdf5_volume")


def read(name: str, path: Path) -> None:
    """Read a spoilt file; anything but a sentence is raised."""
    started = time.perf_counter()
    with contextlib.suppress(OperandoError):
        found = KNOWN[name].read(path, OPTIONS)
        for variable in found.data_vars.values():
            if variable.ndim == 3:
                assert variable[:2, :2, :2].values is not None
    assert time.perf_counter() - started < 10.0


@pytest.mark.parametrize("name", format_files.text_samples())
def test_spoilt_texts_end_in_a_sentence(tmp_path: Path, name: str) -> None:
    draw, sample, path = random.Random(7), format_files.text_samples()[name], tmp_path / "a.txt"
    for _ in range(INPUTS):
        path.write_bytes(mutations.spoil_text(sample, draw))
        read(name, path)


@pytest.mark.parametrize("name", HDF5)
def test_spoilt_hdf5_ends_in_a_sentence(tmp_path: Path, name: str) -> None:
    draw, sample, path = random.Random(7), mutations.hdf5_samples(tmp_path / "samples")[name], tmp_path / "a.h5"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(INPUTS):
        shutil.copy(sample, path)
        with contextlib.suppress(RuntimeError, KeyError, ValueError, OSError, MemoryError, TypeError):
            (mutations.spoil_tree if number % 2 else mutations.spoil_bytes)(path, draw)
        read(name, path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 700


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("nxtomo", "entry/sample/rotation_angle"),
        ("nxtomo", "entry/title"),
        ("data_exchange", "exchange/theta"),
        ("nexus_spectra", "entry/instrument/detector/live_time"),
        ("nexus_spectra", "entry/instrument/detector/data"),
    ],
)
def test_a_dataset_that_claims_terabytes_is_refused_before_it_is_read(tmp_path: Path, name: str, dataset: str) -> None:
    path = mutations.hdf5_samples(tmp_path)[name]
    with h5py.File(path, "r+") as file:
        if dataset in file:
            del file[dataset]
        file.create_dataset(dataset, shape=(2**20, 2**20), dtype="f8", chunks=(64, 64))
    with pytest.raises(BrokenFileError, match="too big"):
        KNOWN[name].read(path, OPTIONS)


@pytest.mark.parametrize(
    ("name", "stack", "per_frame"),
    [("nxtomo", "entry/instrument/detector/data", "image_key"), ("data_exchange", "exchange/data", "theta")],
)
def test_a_stack_that_claims_a_billion_frames_is_refused(tmp_path: Path, name: str, stack: str, per_frame: str) -> None:
    """One image key stands for all frames, and would be repeated so often."""
    path = mutations.hdf5_samples(tmp_path)[name]
    with h5py.File(path, "r+") as file:
        group = file[stack].parent
        shape, dtype = file[stack].shape, file[stack].dtype
        del file[stack]
        file.create_dataset(stack, shape=(2**40, *shape[1:]), dtype=dtype, chunks=(1, *shape[1:]))
        if per_frame in group:
            del group[per_frame]
        if name == "nxtomo":
            group[per_frame] = 0
    with pytest.raises(BrokenFileError, match="claims 1099511627776 frames"):
        KNOWN[name].read(path, OPTIONS)


def test_a_dataset_in_the_place_of_a_group_is_a_sentence(tmp_path: Path) -> None:
    path = mutations.hdf5_samples(tmp_path)["data_exchange"]
    with h5py.File(path, "r+") as file:
        del file["exchange"]
        file["exchange"] = np.arange(3)
    with pytest.raises(BrokenFileError, match=r"is missing|no array"):
        KNOWN["data_exchange"].read(path, OPTIONS)


def test_an_image_key_that_is_no_number_marks_no_projection(tmp_path: Path) -> None:
    path = mutations.hdf5_samples(tmp_path)["nxtomo"]
    with h5py.File(path, "r+") as file:
        keys = file["entry/instrument/detector/image_key"][()].astype(float)
        keys[[3, 4]] = np.nan, 1e300
        del file["entry/instrument/detector/image_key"]
        file["entry/instrument/detector/image_key"] = keys
    found = KNOWN["nxtomo"].read(path, OPTIONS)
    assert found["image_key"].values.tolist() == [2, 1, 0, 3, 3, 0, 0, 0]
    assert "2 frames are alignment or invalid by image_key; not used." in found.attrs["warnings"]


def test_a_file_in_which_the_library_walks_in_circles_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "circles.h5"
    path.write_bytes(zlib.decompress(base64.b85decode(ENDLESS)))
    # In a process of its own: nothing in this one could stop a loop inside the library.
    read_it = (
        "from operando.formats import hdf5_volume; from pathlib import Path; import sys\n"
        "from operando.model.reading import ReadOptions\n"
        "hdf5_volume.read(Path(sys.argv[1]), ReadOptions(require_time=False, time_zone='UTC'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", read_it, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert "BrokenFileError" in done.stderr.splitlines()[-1]
    assert "copy it again" in done.stderr
