"""Calibrating and fitting spectra without a configuration: what the commands `calibrate` and `diffraction` do."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from made import GAIN, OFFSET, Phase, expected

from operando.materials.catalogue import load
from operando.model.errors import ConfigurationError, OperandoError
from operando.pipeline.single_spectra import calibrate, diffraction


def written(path: Path, counts: np.ndarray) -> Path:
    """A file of two columns, as many programs export spectra."""
    rows = [f"{OFFSET + GAIN * n:.4f} {count}" for n, count in enumerate(counts.astype(int))]
    path.write_text("# live time: 90\n# real time: 100\n# energy / keV counts\n" + "\n".join(rows) + "\n")
    return path


def test_a_powder_calibrates_the_angle_that_a_series_is_fitted_with(tmp_path: Path) -> None:
    """The angle is 8.004° while the user believes 8°: 5 × 10⁻⁴ of false lattice."""
    random = np.random.default_rng(21)
    powder = written(tmp_path / "powder.xy", random.poisson(expected([Phase("Al2O3", 8000.0)], 8.004)[0]))
    made = calibrate(powder, tmp_path / "cal" / "angles.json", powder="Al2O3", two_theta_deg=8.0)
    assert made.as_json()["elements"][0]["two_theta_deg"]["value"] == pytest.approx(8.004, abs=2e-3)
    assert json.loads(made.path.read_text())["from"]["file"] == str(powder)
    series = [
        written(tmp_path / f"{n}.xy", random.poisson(expected([Phase("InLi", 4000.0)], 8.004)[0])) for n in range(2)
    ]
    empty = written(tmp_path / "empty.xy", np.zeros(2048))
    done = diffraction([*series, empty], tmp_path / "out", phases=("InLi",), two_theta_deg=8.0, calibration=made.path)
    assert done.failed == (f"{empty}: nothing in it could be fitted.",)
    assert {path.name for path in done.files} >= {
        "lines.csv",
        "lattices.csv",
        "spectra.json",
        "fits.png",
        "waterfall.png",
    }
    with (tmp_path / "out" / "lattices.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["length / angstrom"]]
    true = load("InLi").cell[0]
    assert len(rows) == 2
    assert all(float(row["length / angstrom"]) == pytest.approx(true, rel=3e-4) for row in rows)


def test_what_can_not_be_done_is_said_in_one_sentence(tmp_path: Path) -> None:
    empty = written(tmp_path / "empty.xy", np.zeros(2048))
    with pytest.raises(OperandoError, match=r"empty\.xy: element 0 is not used: dead, it has no counts"):
        diffraction([empty], tmp_path / "out", phases=("InLi",), two_theta_deg=8.0)
    with pytest.raises(ConfigurationError, match=r"lost\.cif: there is no such file"):
        diffraction([empty], tmp_path / "out", phases=("lost.cif",), two_theta_deg=8.0)
    with pytest.raises(ConfigurationError, match="name the powder"):
        calibrate(empty, tmp_path / "x.json")
    with pytest.raises(OperandoError, match="no element of the detector could be calibrated"):
        calibrate(empty, tmp_path / "x.json", lines=("Co57",))
