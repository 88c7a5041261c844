"""Series of other groups placed on a cell's clock."""

import csv

import numpy as np
import pytest
from joint_parts import filled

from operando.electrochemistry.curve import curve
from operando.formats.catalogue import open_raw
from operando.joint.spectrum_exposure import spectrum_exposure
from operando.joint.spectrum_timeline import spectrum_timeline
from operando.model.clock import parse_time
from operando.model.products.joint import SPECTRUM_EXPOSURE
from operando.model.reading import ReadOptions


def exposed(path, start, end, frame):
    return filled(SPECTRUM_EXPOSURE, start=start, end=end, attrs={"file": path.name, "frame": frame})


def test_xas_patterns_get_the_charge_of_their_exposures(shared_data):
    folder = shared_data / "joint" / "perex"
    options = ReadOptions(time_zone="Europe/Paris")
    cell, protocol = curve([open_raw(path, options) for path in sorted(folder.glob("*.mpt"))])
    files = sorted((folder / "xas").glob("*.txt"))
    patterns = [open_raw(path, options) for path in files]
    series = [
        exposed(path, one["start"].values, one["end"].values, k)
        for k, (path, one) in enumerate(zip(files, patterns, strict=True))
    ]
    timeline = spectrum_timeline(cell, protocol, series)
    assert np.isfinite(timeline["charge"].values).all()
    assert (np.diff(timeline["start"].values) > np.timedelta64(0)).all()
    seconds = (cell["time"].values - cell["time"].values[0]).astype("int64") * 1e-9
    middle = timeline["start"].values + (timeline["end"].values - timeline["start"].values) / 2
    at_middle = np.interp((middle - cell["time"].values[0]).astype("int64") * 1e-9, seconds, cell["charge"].values)
    # The current is constant during nearly all exposures, so that the mean is the value at the middle.
    assert np.median(np.abs(timeline["charge"].values - at_middle)) < 1e-6
    assert timeline["cycle"].values[0] == 0 or timeline["step_kind"].values[0] == "charge"
    assert timeline["cycle"].values[-1] == 4 or timeline["cycle"].values[-1] == 3


def test_the_pattern_before_the_cyclers_start_is_flagged(shared_data):
    pytest.importorskip("fastnda", reason="the .ndax reader needs fastnda")
    folder = shared_data / "joint" / "coincell8"
    cell, protocol = curve([open_raw(folder / "cc8.ndax", ReadOptions(time_zone="Europe/Berlin"))])
    series = []
    with (folder / "log_operando_coincell8_LDE2_reduced.csv").open() as log:
        for k, row in enumerate(csv.DictReader(log)):
            path = folder / f"{row['scan_number']}_summed_mythen3.xye"
            times = [parse_time(row[name], "Europe/Berlin", path.name) for name in ("start_time", "end_time")]
            series.append(exposed(path, *times, k))
    timeline = spectrum_timeline(cell, protocol, series)
    assert np.isfinite(timeline["charge"].values).tolist() == [False, True, True, True, True]
    said = [text for text in timeline.attrs["warnings"] if "outside the cycler's record" in text]
    assert len(said) == 1
    assert said[0].startswith("1355639_summed_mythen3.xye")


def test_real_spectra_without_a_zone_stay_without_time_but_are_listed(shared_data):
    file = sorted((shared_data / "diffraction" / "aps6bmb_MgO").glob("*.med"))[0]
    spectra = open_raw(file, ReadOptions(require_time=False))
    one = spectra.isel(spectrum=0).assign_attrs(file=file.name, frame=0)
    timeline = spectrum_timeline(None, None, [spectrum_exposure(one)])
    assert np.isnat(timeline["start"].values[0])
    assert str(timeline["file"].values[0]) == file.name
