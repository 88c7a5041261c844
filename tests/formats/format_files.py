"""Small raw files of each format, written from scratch for the tests."""

from pathlib import Path

import h5py
import numpy as np


def nxtomo(path: Path, frames: int = 8, rows: int = 3, columns: int = 5, **changes: object) -> np.ndarray:
    """Write an NXtomo scan; ``changes`` replace datasets by name (``None`` leaves one out). Returns the frames."""
    data = np.random.default_rng(frames).integers(0, 4000, (frames, rows, columns), dtype=np.uint16)
    keys = np.zeros(frames, np.uint8)
    keys[0], keys[1] = 2, 1
    content: dict[str, object] = {
        "definition": "NXtomo",
        "start_time": "2018-05-04T08:00:00+02:00",
        "end_time": "2018-05-04T08:01:30+02:00",
        "instrument/detector/data": data,
        "instrument/detector/image_key": keys,
        "sample/rotation_angle": np.linspace(0, 180, frames),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if value is not None:
                file[f"entry/{name}"] = value
        if content["sample/rotation_angle"] is not None:
            file["entry/sample/rotation_angle"].attrs["units"] = "degree"
    return data


def data_exchange(path: Path, theta: np.ndarray | None = None, units: str | None = "degrees", count: int = 6) -> None:
    """Write a DataExchange scan: frame ``i`` of projections, flats, darks holds ``i``, ``100 + i``, ``200 + i``."""
    with h5py.File(path, "w") as file:
        for name, base, frames in (("data", 0, count), ("data_white", 100, 2), ("data_dark", 200, 3)):
            stack = np.broadcast_to((base + np.arange(frames))[:, None, None], (frames, 4, 5))
            file[f"exchange/{name}"] = stack.astype(np.float32 if base else np.uint16)
        if theta is not None:
            file["exchange/theta"] = theta
            if units:
                file["exchange/theta"].attrs["units"] = units


def med(elements: int, channels: int, counts: np.ndarray, date: str = "Nov 04, 2016 04:52:52.890") -> str:
    """The text of an APS ``.med`` file."""

    def row(values: object) -> str:
        return " ".join(f"{v:.7f}" for v in np.atleast_1d(values))

    header = [
        "VERSION:    3.1",
        f"ELEMENTS:             {elements}",
        f"DATE:       {date}",
        f"CHANNELS:           {channels}",
        f"ROIS:        {' '.join('0' * elements)}",
        f"REAL_TIME:   {row(np.full(elements, 150.25))}",
        f"LIVE_TIME:   {row(np.full(elements, 140.5))}",
        f"CAL_OFFSET:  {row(np.full(elements, 0.1))}",
        f"CAL_SLOPE:   {row(np.full(elements, 0.0648))}",
        f"CAL_QUAD:    {row(np.zeros(elements))}",
        f"TWO_THETA:   {row(np.full(elements, 6.5))}",
        'ENVIRONMENT: 6BMB:tc.I="26.3" (Thermocouple1 Temperature)',
        "DATA: ",
    ]
    body = [" " + " ".join(str(int(c)) for c in counts[:, channel]) for channel in range(channels)]
    return "\n".join(header + body) + "\n"


def mpt(rows: np.ndarray, labels: list[str], decimal: str = ",", started: str = "07/26/2022 22:38:30.190") -> bytes:
    """The bytes of an EC-Lab ``.mpt`` file with the given columns."""
    header = [
        "EC-Lab ASCII FILE",
        "Nb header lines : 6                          ",
        "",
        "Galvanostatic Cycling with Potential Limitation",
        f"Acquisition started on : {started}",
        "\t".join(labels) + "\t",
    ]
    body = ["\t".join(f"{value:.15E}".replace(".", decimal) for value in row) for row in rows]
    return ("\r\n".join(header + body)).encode("latin-1")


def text_samples() -> dict[str, bytes]:
    """A small valid file of each text format, by the format's name."""
    counts = np.arange(24).reshape(2, 12)
    rows = np.column_stack([np.arange(6) * 30.0, np.full(6, 3.5), np.full(6, 0.1)])
    return {
        "aps_med": med(2, 12, counts).encode(),
        "biologic_mpt": mpt(rows, ["time/s", "Ewe/V", "I/mA"]),
        "bdf_csv": b"unix_time_second,voltage_volt,current_ampere\n0,3.5,0.1\n10,3.6,0.1\n20,3.7,0.1\n",
    }
