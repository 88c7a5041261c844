"""One experiment with every kind of bad scan in it: each is named in a sentence, and all the others are there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from operando.pipeline import experiment
from operando.pipeline.events import Event, Options

FRAMES = "entry/instrument/detector/data"
KEYS = "entry/instrument/detector/image_key"
ANGLES = "entry/sample/rotation_angle"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20000])


def garble(path: Path) -> None:
    """Noise over the middle of the file, tables of the HDF5 structure and frames alike."""
    content = bytearray(path.read_bytes())
    noise = np.random.default_rng(1).integers(0, 256, len(content) // 2, np.uint8).tobytes()
    content[2048 : 2048 + len(noise)] = noise
    path.write_bytes(content)


def rewrite(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with h5py.File(path, "r+") as file:
        values, attrs = file[name][()], dict(file[name].attrs)
        del file[name]
        file[name] = change(values)
        file[name].attrs.update(attrs)


def lock_behind_a_filter(path: Path) -> None:
    """Frames that say they are compressed by a filter that nobody has."""
    with h5py.File(path, "r+") as file:
        values = file[FRAMES][()]
        del file[FRAMES]
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((1, *values.shape[1:]))
        creation.set_filter(40123, h5py.h5z.FLAG_OPTIONAL, ())
        space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.py_create(values.dtype)
        group = file[FRAMES.rpartition("/")[0]]
        made = h5py.h5d.create(group.id, b"data", kind, space, creation)
        for number, frame in enumerate(values):
            made.write_direct_chunk((number, 0, 0), frame.tobytes())


def start_at(path: Path, hour: int) -> None:
    with h5py.File(path, "r+") as file:
        for name in ("start_time", "stop_time"):
            file[f"entry/instrument/detector/{name}"].attrs["start"] = f"2018-05-04T{hour:02d}:24:52.500000Z"
        for name in ("start_time", "end_time"):
            del file[f"entry/{name}"]
            file[f"entry/{name}"] = f"2018-05-04T{hour:02d}:25:00Z"


def with_nan(values: np.ndarray) -> np.ndarray:
    changed = values.astype(np.float32)
    changed[values.shape[0] // 2 :] = np.nan
    return changed


DETECTOR = "/entry/instrument/detector"
BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (truncate, "the HDF5 file is truncated (20000 bytes are there); copy it again or leave it out."),
    "garbled": (garble, "the HDF5 file is damaged ("),
    "filter": (
        lock_behind_a_filter,
        f"{DETECTOR}/data is compressed with the HDF5 filter 40123, which is not installed; "
        "install its plugin or copy the file with h5repack.",
    ),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty (0 bytes); copy it again or leave it out."),
    "no_frames": (
        lambda path: rewrite(path, FRAMES, lambda v: v[:0]),
        f"{DETECTOR}/data is uint16 of shape (0, 64, 96), not a stack of frames; leave the file out.",
    ),
    "no_projections": (
        lambda path: rewrite(path, KEYS, np.ones_like),
        "image_key marks no frame as a projection; leave the file out.",
    ),
    "nan_frames": (
        lambda path: rewrite(path, FRAMES, with_nan),
        f"{DETECTOR}/data: 62 frames, the first of them 68, hold no number; leave the scan out.",
    ),
    "nan_angles": (
        lambda path: rewrite(path, ANGLES, with_nan),
        "/entry/sample/rotation_angle is not a number for 62 projections; leave it out.",
    ),
    "flat_frames": (
        lambda path: rewrite(path, FRAMES, lambda v: v[:, 0]),
        f"{DETECTOR}/data is uint16 of shape (136, 96), not a stack of frames; leave the file out.",
    ),
    "few_keys": (
        lambda path: rewrite(path, KEYS, lambda v: v[:-3]),
        f"{DETECTOR}/image_key has 133 values for 136 frames; the writer stopped half way; leave the file out.",
    ),
    "vanishing": (
        lambda path: None,
        "it can't be read any more (No such file or directory); copy it there and run again.",
    ),
    "changing": (lambda path: None, "it changed while it was read; run again when it is whole."),
}
"""What was done to a scan, and the sentence that must come of it."""


@pytest.fixture(scope="module")
def done(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """Exit status and summary of a run over two good scans and all bad ones."""
    folder = tmp_path_factory.mktemp("bad") / "experiment"
    shutil.copytree(tiny_raw, folder, ignore=shutil.ignore_patterns("truth", "scan_0002*", "scan_0003*"))
    tomography = folder / "raw" / "tomo"
    for number, (name, (spoil, _)) in enumerate(BAD.items()):
        path = Path(shutil.copy(tomography / "scan_0001.nxs", tomography / f"{name}.nxs"))
        start_at(path, 8 + number)
        spoil(path)

    def tell(event: Event) -> None:
        path = folder / event.frame
        if event.kind == "started" and path.stem == "vanishing":
            path.unlink(missing_ok=True)
        if event.kind == "started" and path.stem == "changing":
            rewrite(path, FRAMES, lambda v: v[::-1])

    report = experiment.bring_up_to_date(folder, Options(workers=0, only=("reconstruct",)), tell, "0.1.0").report
    summary = json.loads((folder / "results" / "summary.json").read_text())
    return report.exit_status, summary | {"computed": report.computed}


def test_a_run_with_bad_scans_is_partly_done_and_all_others_are_there(done: tuple[int, dict[str, Any]]) -> None:
    status, summary = done
    assert status == 3
    reconstructed = [frame for step, frame in summary["computed"] if step == "reconstruct"]
    assert reconstructed == ["raw/tomo/scan_0000.nxs", "raw/tomo/scan_0001.nxs"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_scan_is_named_with_what_was_found_and_what_to_do(name: str, done: tuple[int, dict[str, Any]]) -> None:
    file = f"raw/tomo/{name}.nxs"
    sentences = [warning["text"] for warning in done[1]["warnings"] if warning["file"] == file]
    assert any(sentence.startswith(f"{file}: {BAD[name][1]}") for sentence in sentences)
    assert len(sentences) == len(set(sentences)) <= 2
