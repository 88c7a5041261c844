"""DataExchange (De Carlo et al., https://doi.org/10.1107/S160057751401604X): flats before and after, no frame times."""

from pathlib import Path

import h5py
import numpy as np

from operando.twin.writers.frames import DARK, FLAT, PROJECTION, Frames


def write(path: Path, frames: Frames) -> Path:
    """Write one scan frame by frame; the angles are ``theta`` in degrees."""
    projections = frames.selected(PROJECTION)
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange:measurement:process"
        exchange = file.create_group("exchange")
        stacks = {
            name: exchange.create_dataset(name, (len(rows), *frames.shape), np.uint16) for name, rows in _rows(frames)
        }
        place = {int(frame): (name, n) for name, rows in _rows(frames) for n, frame in enumerate(rows)}
        for frame, image in enumerate(frames.images):
            name, n = place[frame]
            stacks[name][n] = image
        for stack in stacks.values():
            stack.attrs["units"] = "counts"
        exchange["theta"] = frames.angle[projections]
        exchange["theta"].attrs["units"] = "deg"
        start, end = frames.time[projections[0]], frames.time[projections[-1]]
        end = end + np.timedelta64(round(frames.exposure_s * 1e9), "ns")
        file["process/acquisition/start_date"] = f"{start.astype('datetime64[us]')}Z"
        file["process/acquisition/end_date"] = f"{end.astype('datetime64[us]')}Z"
        size = file.create_dataset("measurement/instrument/detector/actual_pixel_size_x", data=frames.pixel_um)
        size.attrs["units"] = "um"
        file["measurement/sample/name"] = frames.title
    return path


def _rows(frames: Frames) -> list[tuple[str, np.ndarray]]:
    """Datasets and which frames go into them; flats before the first projection and after are kept apart."""
    first = frames.selected(PROJECTION)[0]
    flats = frames.selected(FLAT)
    found = [
        ("data_dark", frames.selected(DARK)),
        ("data_white", flats[flats < first]),
        ("data", frames.selected(PROJECTION)),
        ("data_white_post", flats[flats > first]),
    ]
    return [(name, rows) for name, rows in found if len(rows)]
