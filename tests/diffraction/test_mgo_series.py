"""The MgO series of APS 6-BM-B: ten germanium elements, one of them dead, one whose live time exceeds its real time."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made import read

from operando.diffraction.series import analyse
from operando.materials.catalogue import load


def d_200(lines: xr.Dataset, element: int) -> tuple[float, float]:
    """Spacing of MgO (200) and its standard deviation."""
    found = (lines["h"] == 2) & (lines["k"] == 0) & (lines["l"] == 0) & (lines["element"] == element)
    row = lines.isel(line=int(np.flatnonzero(found.values)[0]))
    return float(row["d"]), float(row["d_std"])


@pytest.mark.data
def test_mgo_expands_as_its_load_is_taken_off(shared_data: Path) -> None:
    folder = shared_data / "diffraction" / "aps6bmb_MgO"
    files = sorted(folder.glob("COSI_022_*.med"))
    chosen = [read(files[frame], frame) for frame in (0, 12, len(files) - 1)]
    lines, lattice, notes = analyse(chosen, [load("MgO")])
    assert d_200(lines[0], 0)[0] == pytest.approx(2.0814, abs=0.002)
    assert d_200(lines[-1], 0)[0] == pytest.approx(2.1101, abs=0.002)
    assert all("LIVE" in note for note in notes if "element 0:" in note)
    assert any("element 0: LIVE" in note for note in notes)
    assert any("element 4" in note and "dead" in note for note in notes)
    assert any("d(200) of MgO differs by up to 0.007" in note for note in notes)
    each = np.array([d_200(lines[0], element)[0] for element in (0, 1, 2, 3, 5, 6, 7, 8, 9)])
    assert np.ptp(each) < 0.008
    assert np.isnan(lattice[0]["cell_element"][4]).all()
