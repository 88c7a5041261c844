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


def amptek(counts: np.ndarray, label: str = "keV") -> str:
    """The text of an Amptek ``.mca`` file."""
    header = [
        "<<PMCA SPECTRUM>>",
        "TAG - live_data",
        "GAIN - 3",
        "LIVE_TIME - 118.5",
        "REAL_TIME - 120.25",
        "START_TIME - 05/23/2013 14:13:10",
        "<<CALIBRATION>>",
        f"LABEL - {label}",
        "100 5.5",
        "500 25.5",
        "<<DATA>>",
    ]
    return "\r\n".join([*header, *(str(int(n)) for n in counts), "<<END>>", "<<DPP STATUS>>", "Serial Number: 1", ""])


def spe(counts: np.ndarray) -> str:
    """The text of an ORTEC ``.spe`` file."""
    header = ["$SPEC_ID:", "sample", "$DATE_MEA:", "02/09/2018 10:03:36", "$MEAS_TIM:", "296 300", "$DATA:"]
    tail = ["$ENER_FIT:", "0.1 0.05", "$MCA_CAL:", "3", "1.0E-1 5.0E-2 1.0E-7 keV", ""]
    return "\r\n".join([*header, f"0 {len(counts) - 1}", *(f"{int(n):8d}" for n in counts), *tail])


def spec(counts: np.ndarray, epoch: bool = True, columns: int = 16, tags: tuple[str, ...] = ("@A",)) -> str:
    """The text of a SPEC file: one scan, ``counts`` (point, element, channel), each row of data before its arrays."""
    lines = [
        "#F run7",
        *(["#E 1525413600"] if epoch else []),
        "#D Fri May 04 08:00:00 2018",
        "#H0 SR_current  other",
        "",
        "#S 3  timescan 60",
        "#D Fri May 04 08:10:00 2018",
        "#T 60  (seconds)",
        "#V0 249.5 1",
        "#@MCA %16C",
        "#@CTIME 60 55.5 60.5",
        "#@CALIB 0.25 0.05 1e-07",
        "#L Time  Epoch  Seconds",
    ]
    for point, arrays in enumerate(counts):
        end = 660.5 + 60.5 * point
        lines.append(f"{end - 600} {end} 60.5")
        for tag, channels in zip(tags, arrays, strict=True):
            words = [str(int(n)) for n in channels]
            chunks = [" ".join(words[i : i + columns]) for i in range(0, len(words), columns)]
            lines.append(f"{tag} " + "\\\n ".join(chunks))
    return "\n".join([*lines, ""])


def gamry(decimal: str = ",", ocv_rows: int = 2, rows: int = 3) -> str:
    """The text of a Gamry ``.DTA`` file with an open-circuit curve, a curve and an impedance spectrum."""

    def row(*values: float) -> str:
        return "\t" + "\t".join(f"{v:.6E}".replace(".", decimal) for v in values)

    lines = ["EXPLAIN", "TAG\tCHRONOP", "DATE\tLABEL\t26-7-2022\tDate", "TIME\tLABEL\t22:38:30\tTime"]
    lines += [f"OCVCURVE\tTABLE\t{ocv_rows}", "\tPt\tT\tVf", "\t#\ts\tV"]
    lines += [row(i, i + 0.25, 3.5) for i in range(ocv_rows)]
    lines += ["EOC\tQUANT\t3,5\tOpen Circuit (V)", f"CURVE\tTABLE\t{rows}", "\tPt\tT\tVf\tIm", "\t#\ts\tV\tA"]
    lines += [row(i, 10.0 * i, 3.5 + 0.1 * i, 1e-3) for i in range(rows)]
    lines += ["ZCURVE\tTABLE", "\tPt\tTime\tFreq\tZreal\tZimag", "\t#\ts\tHz\tohm\tohm"]
    lines += [row(i, i, 10.0 ** (4 - i), 100 + i, -10 - i) for i in range(4)]
    return "\n".join(lines) + "\n"


def text_samples() -> dict[str, bytes]:
    """A small valid file of each text format, by the format's name."""
    counts = np.arange(24).reshape(2, 12)
    rows = np.column_stack([np.arange(6) * 30.0, np.full(6, 3.5), np.full(6, 0.1)])
    return {
        "aps_med": med(2, 12, counts).encode(),
        "amptek_mca": amptek(counts[0]).encode(),
        "ortec_spe": spe(counts[0]).encode(),
        "spec_mca": spec(np.arange(80).reshape(2, 2, 20), tags=("@A1", "@A2")).encode(),
        "biologic_mpt": mpt(rows, ["time/s", "Ewe/V", "I/mA"]),
        "bdf_csv": b"unix_time_second,voltage_volt,current_ampere\n0,3.5,0.1\n10,3.6,0.1\n20,3.7,0.1\n",
        "gamry_dta": gamry().encode(),
        "plain_csv": b"t;Ewe;I\ns;V;mA\n0;3,5;0,1\n10;3,6;0,1\n20;3,7;0,1\n",
        "xy_counts": b"# live time: 10.5\n# channel counts\n" + b"".join(b"%d %d\n" % (i, 3 * i) for i in range(9)),
        "xy_pattern": b"# start=2022-07-26 23:01:58\n# energy/eV intensity\n1,0 0,5\n1,5 0,75\n2,0 0,5\n",
    }
