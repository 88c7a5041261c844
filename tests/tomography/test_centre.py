"""The centre of rotation is found to a fraction of a pixel and knows how well."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from phantoms import disc, scan_of, sinogram

from operando.model.products.raw import SCAN
from operando.model.products.tomography import CENTRE
from operando.tomography import reconstruct_scan
from operando.tomography.centre import CentreParameters, combined, estimate_centre, find_centre
from operando.tomography.centres import CentresParameters, centres
from operando.tomography.scan import sinograms_of


def shapes(size: float) -> list:
    table = [(0.38, 0.02, 0.01, 1.0), (0.05, 0.2, 0.1, 2.0), (0.03, -0.1, 0.25, 3.0), (0.08, 0.15, -0.2, -1.0)]
    return [disc(r * size, 0.01 * m, x * size, y * size) for r, x, y, m in table]


@pytest.mark.parametrize(
    ("columns", "angles", "place"),
    [
        (256, np.arange(181) * np.pi / 181, 130.27),
        (256, np.arange(180) * np.pi / 181, 120.6),
        (200, np.linspace(0, np.pi, 151), 99.5),
        (300, np.linspace(-1.54, 1.6, 91), 151.4),
        (256, np.arange(400) * 2 * np.pi / 400, 125.3),
        (256, np.arange(300) * np.pi / 300 + 1.0, 100.0),
    ],
)
@pytest.mark.parametrize("overhang", [1.0, 1.3])
def test_centre_is_found(columns: int, angles: np.ndarray, place: float, overhang: float) -> None:
    rng = np.random.default_rng(5)
    data = sinogram(shapes(columns * overhang), angles, columns, place)
    found = estimate_centre(data + rng.normal(0, 0.02, data.shape), angles)
    assert found is not None
    assert found[0] == pytest.approx(place, abs=0.1)


def test_the_stated_uncertainty_covers_the_truth() -> None:
    rng = np.random.default_rng(6)
    angles = np.arange(180) * np.pi / 180
    pulls = []
    for _ in range(12):
        place = rng.uniform(60, 68)
        clean = sinogram(shapes(128), angles, 128, place)
        estimates = [estimate_centre(clean + rng.normal(0, 0.1, clean.shape), angles) for _ in range(6)]
        value, std, _ = combined([e for e in estimates if e is not None])
        pulls.append((value - place) / std)
    assert np.mean(np.abs(pulls) < 2) >= 0.75


def test_a_group_of_rows_that_disagrees_is_left_out() -> None:
    value, std, said = combined([(100.1, 0.02), (100.12, 0.02), (100.09, 0.02), (93.0, 0.05)])
    assert value == pytest.approx(100.1, abs=0.02)
    assert std < 0.05
    assert said == ["1 of 4 groups of rows give another centre and were left out."]


def _series(values: list[float]) -> list:
    return [
        CENTRE.new(attrs={"frame": i, "file": f"s{i}.nxs"}, centre=v, centre_std=0.05) for i, v in enumerate(values)
    ]


def test_a_jump_in_the_series_is_flagged_and_taken_from_its_neighbours() -> None:
    drift = 50 + 0.03 * np.arange(12)
    values = [*drift[:5], drift[5] + 4.0, *drift[6:]]
    found = centres(_series(values), CentresParameters())
    assert found["outlier"].values.tolist() == [i == 5 for i in range(12)]
    assert float(found["centre"][5]) == pytest.approx(drift[5], abs=0.05)
    assert "s5.nxs" in found.attrs["warnings"][0]


def test_a_new_scan_leaves_the_old_centres_as_they_are() -> None:
    rng = np.random.default_rng(7)
    values = list(50 + 0.03 * np.arange(12) + rng.normal(0, 0.05, 12))
    before = centres(_series(values[:11]), CentresParameters())
    after = centres(_series(values), CentresParameters())
    np.testing.assert_array_equal(before["centre"].values, after["centre"].values[:11])


@pytest.mark.data
def test_one_wrong_centre_among_four_leaves_the_others_alone() -> None:
    found = centres(_series([48.91, 49.0, 38.55, 49.1]), CentresParameters())
    assert found["outlier"].values.tolist() == [False, False, True, False]
    np.testing.assert_array_equal(found["centre"].values[[0, 1, 3]], [48.91, 49.0, 49.1])
    assert abs(float(found["centre"][2]) - 49.05) < 0.1


@pytest.mark.parametrize(("name", "place"), [("tooth.h5", 295.7), ("savu_image_test.h5", 85.8)])
def test_real_centres(shared_data: Path, name: str, place: float) -> None:
    with h5py.File(shared_data / "tomography" / name) as file:
        exchange = file["exchange"]
        parts = [np.asarray(exchange[key]) for key in ("data_white", "data_dark", "data")]
        angles = np.deg2rad(np.asarray(exchange["theta"]))
    counts = np.concatenate([part.astype(np.float32) for part in parts])
    unknown = np.full(len(parts[0]) + len(parts[1]), np.nan)
    scan = SCAN.new(
        attrs={"file": name},
        counts=counts,
        image_key=np.repeat([1, 2, 0], [len(part) for part in parts]),
        rotation_angle=np.concatenate([unknown, angles]),
        start=np.datetime64("NaT", "ns"),
        end=np.datetime64("NaT", "ns"),
    )
    rows = (0, 2) if name == "tooth.h5" else (90, 92)
    _, found, std = reconstruct_scan(scan, rows=rows)
    assert found == pytest.approx(place, abs=0.5)
    assert std < 0.5
    assert sinograms_of(scan.isel(row=slice(*rows)))["sinogram"].shape[0] == 2


def test_a_scan_of_nothing_says_so() -> None:
    from operando.model.errors import OperandoError

    angles = np.arange(60) * np.pi / 60
    with pytest.raises(OperandoError, match="no centre of rotation was found"):
        reconstruct_scan(scan_of(np.ones((60, 4, 64)), angles))


def test_a_tilted_axis_is_noticed() -> None:
    angles = np.arange(180) * np.pi / 180
    data = np.stack([sinogram(shapes(128), angles, 128, 62 + 0.05 * row) for row in range(40)])
    _, _, said = find_centre(lambda rows: data[rows], 40, angles, CentreParameters(rows=1), "s.nxs")
    assert any("tilted by 50" in text or "tilted by 49" in text for text in said)
    _, _, said = find_centre(lambda rows: data[:1].repeat(40, 0)[rows], 40, angles, CentreParameters(rows=1), "s.nxs")
    assert said == []
