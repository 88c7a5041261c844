"""The files of a whole experiment."""

import json
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from operando.model.configuration import Configuration
from operando.model.errors import ConfigurationError
from operando.twin import faults, presets
from operando.twin.experiment import simulate
from operando.twin.planning import plan

SOURCE = Path(__file__).resolve().parents[2] / "src" / "operando"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    simulate("tiny", folder)
    return folder


def test_experiment_has_three_instruments_a_configuration_and_truth(tiny: Path):
    names = {path.relative_to(tiny).as_posix() for path in tiny.rglob("*") if path.is_file()}
    assert {f"raw/tomo/scan_{n:04d}.nxs" for n in range(4)} <= names
    assert {f"raw/edd/spectrum_{n:04d}.med" for n in range(4)} <= names
    assert {"raw/echem/cell.csv", "operando.toml", "truth/summary.json", "truth/surfaces.nc"} <= names


def test_configuration_is_valid_and_says_nothing_of_the_truth(tiny: Path):
    text = (tiny / "operando.toml").read_text(encoding="utf-8")
    configuration = Configuration.model_validate(tomllib.loads(text))
    assert configuration.tomography is not None
    assert {track.kind for track in configuration.tomography.track} == {"protrusion", "particle"}
    assert "truth" not in text
    assert "scenario" not in text


def test_same_seed_same_counts_and_another_seed_others(tiny: Path, tmp_path: Path):
    def counts(folder: Path) -> np.ndarray:
        with h5py.File(folder / "raw/tomo/scan_0000.nxs") as file:
            return file["entry/instrument/detector/data"][()]

    simulate("tiny", tmp_path / "again", scans=1)
    simulate("tiny", tmp_path / "other", scans=1, seed=99)
    assert np.array_equal(counts(tiny), counts(tmp_path / "again"))
    assert not np.array_equal(counts(tiny), counts(tmp_path / "other"))
    spectra = [(tmp_path / name / "raw/edd/spectrum_0000.med").read_text() for name in ("again", "other")]
    assert spectra[0] == (tiny / "raw/edd/spectrum_0000.med").read_text() != spectra[1]


def test_nxtomo_states_key_angle_time_and_current_of_every_frame(tiny: Path):
    with h5py.File(tiny / "raw/tomo/scan_0001.nxs") as file:
        entry = file["entry"]
        key = entry["instrument/detector/image_key"][()]
        assert entry["definition"][()] == b"NXtomo"
        assert [int(np.sum(key == k)) for k in (0, 1, 2)] == [120, 12, 4]
        angles = entry["sample/rotation_angle"][()][key == 0]
        np.testing.assert_allclose(np.diff(angles), 1.5)
        times = entry["instrument/detector/start_time"]
        assert times.attrs["start"].endswith("Z")
        np.testing.assert_allclose(np.diff(times[()]), 0.75, atol=1e-6)
        assert len(entry["instrument/source/current"][()]) == len(key)


def test_med_has_the_layout_of_the_beamline_s_files(tiny: Path, shared_data: Path):
    """Same keys, in the same order, with the same spelling of date and numbers, as a real file."""
    own = (tiny / "raw/edd/spectrum_0000.med").read_text(encoding="ascii").splitlines()
    real = (shared_data / "diffraction/aps6bmb_MgO/COSI_022_0019.med").read_text(encoding="ascii").splitlines()
    keys = [[line.partition(":")[0] for line in lines if not line.startswith(("ROI_", "ENV"))] for lines in (own, real)]
    head = keys[1][: keys[1].index("DATA") + 1]
    assert keys[0][: len(head)] == head
    for key in ("DATE", "CAL_OFFSET", "REAL_TIME", "TWO_THETA"):
        shapes = []
        for lines in (own, real):
            value = next(line for line in lines if line.startswith(key)).partition(":")[2].split()
            shapes.append("".join("9" if c.isdigit() else c for c in " ".join(value[: 4 if key == "DATE" else 1])))
        if key == "DATE":
            assert shapes[0][3:] == shapes[1][3:]
        else:
            assert shapes[0].lstrip("-")[:2] == shapes[1].lstrip("-")[:2] or key in {"REAL_TIME", "TWO_THETA"}
    assert len(own) - own.index("DATA: ") - 1 == 2048


def test_cycler_s_clock_is_its_own(tmp_path: Path):
    (tmp_path / "cell.toml").write_text(
        'preset = "tiny"\n[tomography]\nenabled = false\n[spectrometer]\nenabled = false\n'
        "[cycler]\nclock_offset_s = 40.0\nclock_drift_ppm = 500.0\n"
    )
    simulate(tmp_path / "cell.toml", tmp_path / "out")
    table = np.genfromtxt(tmp_path / "out/raw/echem/cell.csv", delimiter=",", names=True)
    epoch = np.datetime64("2018-05-04T06:00:00").astype("datetime64[s]").astype(float)
    assert table["unix_time_second"][0] == pytest.approx(epoch - 40.0)
    with xr.open_dataset(tmp_path / "out/truth/course.nc", engine="h5netcdf") as course:
        beamline = (course["time"].values - course["time"].values[0]).astype("int64") * 1e-9
    corrected = table["test_time_second"] * (1 + 500e-6)
    np.testing.assert_allclose(corrected, beamline, atol=2e-3)
    assert "clock_drift_ppm = 500.0" in (tmp_path / "out/operando.toml").read_text()


def test_truth_s_labels_have_the_summary_s_volumes(tiny: Path):
    scans = json.loads((tiny / "truth/summary.json").read_text())["scans"]
    for number in (0, 3):
        with xr.open_dataset(tiny / f"truth/labels_{number:04d}.nc", engine="h5netcdf") as found:
            label = found["label"].values
        # The summary counts in the scan's own field, which has moved along z; labels stay in the first scan's.
        moved = scans[number]["translation_um"][0] * np.pi * 90.0**2
        for value, phase, shift in ((2, "electrolyte", -moved), (3, "anode", moved)):
            counted = np.sum(label == value) * 2.5**3
            assert counted == pytest.approx(scans[number]["phase_volume_um3"][phase] - shift, rel=0.005)


def test_truth_balances_charge_and_volume(tiny: Path):
    found = json.loads((tiny / "truth/summary.json").read_text())
    for entry in found["volume_balance"]:
        expected = entry["candidates"][0]["electrochemical_um3"]
        assert entry["gross_gain_um3"] - entry["gross_loss_um3"] == pytest.approx(entry["morphological_um3"])
        assert expected - entry["morphological_um3"] == pytest.approx(entry["unaccounted_um3"], abs=1e-6)
        total = entry["side_reaction_um3"] + entry["hidden_void_um3"]
        assert total == pytest.approx(entry["unaccounted_um3"], abs=1e-3)
    cycle = found["cycles"][0]
    assert cycle["coulombic_efficiency"] == pytest.approx(cycle["discharge_mAh"] / cycle["charge_mAh"])
    assert {event["kind"] for event in found["events"]} >= {"void_onset", "contact_loss_onset"}


@pytest.mark.parametrize("name", sorted(faults.FAULTS))
def test_every_fault_damages_something_and_says_what(name: str, tiny: Path, tmp_path: Path):
    import shutil

    shutil.copytree(tiny, tmp_path / "broken")
    done = faults.apply(tmp_path / "broken", [name])
    assert done[name]
    assert (tmp_path / "broken/truth/faults.json").exists()
    raw = [path.relative_to(tiny) for path in (tiny / "raw").rglob("*") if path.is_file()]
    assert any((tmp_path / "broken" / path).read_bytes() != (tiny / path).read_bytes() for path in raw)


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="did you mean 'demo'"):
        simulate("demoo", tmp_path)
    with pytest.raises(ConfigurationError, match="truncated-scan"):
        simulate("tiny", tmp_path, faults=["on-fire"])
    with pytest.raises(ConfigurationError, match="overlap"):
        simulate("tiny", tmp_path, scenario="nothing")
    (tmp_path / "wrong.toml").write_text('preset = "tiny"\n[cell]\nbore_cm = 1\n')
    with pytest.raises(ConfigurationError, match=r"cell\.bore_cm"):
        simulate(tmp_path / "wrong.toml", tmp_path / "out")
    assert set(presets.names()) == {"tiny", "demo", "paper"}


@pytest.mark.parametrize(
    ("tomography", "spectrometer", "cycler", "patterns"),
    [
        ("dataexchange", "spec", "mpt", ("tomo/*.h5", "edd/*.spec", "echem/*.mpt")),
        ("tiff", "nexus", "bdf", ("tomo/*/flats/*.tif", "edd/*.nxs", "echem/*.csv")),
    ],
)
def test_other_formats_on_request(
    tomography: str, spectrometer: str, cycler: str, patterns: tuple[str, ...], tmp_path: Path
):
    (tmp_path / "own.toml").write_text(
        f'preset = "tiny"\n[tomography]\nlayout = "{tomography}"\n[spectrometer]\nlayout = "{spectrometer}"\n'
        f'elements = 2\n[cycler]\nlayout = "{cycler}"\nimpedance = true\n'
    )
    simulate(tmp_path / "own.toml", tmp_path / "out", scans=1)
    for pattern in patterns:
        assert list((tmp_path / "out/raw").glob(pattern)), pattern
    Configuration.model_validate(tomllib.loads((tmp_path / "out/operando.toml").read_text()))


def test_cell_of_the_manual_is_a_cell(tmp_path: Path):
    """The how-to's own cell: another reaction, electrolyte, geometry and beam."""
    import re

    from operando.twin.scenarios import settled
    from operando.twin.world import World

    manual = (SOURCE.parents[1] / "docs/how-to/simulate-your-cell.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", manual, re.DOTALL)
    assert found
    (tmp_path / "own.toml").write_text(found[1], encoding="utf-8")
    world = World(settled(presets.load(tmp_path / "own.toml")))
    # One mole of Li more in two moles of InLi: the catalogue's lattices give 10.8 cm³ at 25 °C.
    assert world.cell.anode.reaction_cm3_per_mol == pytest.approx(10.8, abs=0.3)
    state = world.state(world.protocol.length / 2)
    assert 0.1 < state.alloyed_share < 1
    names = set(
        re.findall(r"`([a-z]+(?:-[a-z]+)+|glare|static|overlap|strain|paper|starved|composition|temperature)`", manual)
    )
    from operando.twin.scenarios import SCENARIOS

    assert set(SCENARIOS) <= names
    assert set(faults.FAULTS) <= names


def test_plan_says_more_indium_makes_everything_harder():
    found = plan("demo")
    cavity = np.array([np.nan if v is None else v for v in found["curves"]["cavity_um"][1]])
    assert np.all(np.diff(cavity) >= 0)  # rounded to three digits
    assert cavity[-1] > cavity[0]
    quarter, own, four = (row[0] for row in found["curves"]["cavity_um"])
    assert quarter > own > four
    fractions = found["least_host_fraction"]["fraction"]
    assert fractions[0] == pytest.approx(2 * fractions[1], rel=0.05)
    assert len(found["columns"]) == len(found["rows"][0])


def test_plan_says_unknown_behind_three_millimetres_of_indium():
    found = plan("paper", binning=8)
    assert found["rows"][-1][3] is None
    assert found["rows"][0][3] is not None


def test_no_analysis_code_opens_the_truth():
    """The word stands in no room but the twin, and in the command's table of measured against true."""
    allowed = {"twin", "cli"}
    guilty = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in allowed and _mentions_truth(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []


def _mentions_truth(text: str) -> bool:
    import ast

    docstrings = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(id(node.value))
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and (node.value.strip("/") == "truth" or "truth/" in node.value)
        for node in ast.walk(tree)
    )


def test_twin_imports_no_analysis_room():
    rooms = ("tomography", "morphology", "diffraction", "electrochemistry", "joint", "formats", "figures", "pipeline")
    for path in (SOURCE / "twin").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(f"operando.{room}" in text for room in rooms), path


def test_plan_s_noise_is_that_of_filtered_back_projection():
    """White noise in the sinogram through the package's own ramp filter: σ_p π / √(12 N) within 5 %."""
    from operando.tomography import reconstruct_sinograms

    angles = np.arange(200) * np.pi / 200
    sinograms = 0.01 * np.random.default_rng(5).standard_normal((4, 200, 120)).astype(np.float32)
    middle = reconstruct_sinograms(sinograms, angles, 59.5)[:, 40:80, 40:80]
    assert middle.std() == pytest.approx(0.01 * np.pi / np.sqrt(12 * 200), rel=0.05)
