"""The steps from raw counts to attenuation in 1/cm, one after the other."""

import numpy as np
import pytest
import xarray as xr
from phantoms import disc, radius_map, scan_of, sinogram

from operando.tomography.centre import CentreParameters, centre
from operando.tomography.centres import CentresParameters, centres
from operando.tomography.glare import GlareParameters, glare
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise
from operando.tomography.reconstruct import ReconstructParameters, reconstruct
from operando.tomography.rings import RingsParameters, rings
from operando.tomography.scan import reconstruct_scan

COLUMNS, ROWS, PIXEL, CENTRE, MU = 128, 9, 2.5, 61.3, 0.02
ANGLES = np.arange(200) * np.pi / 200


@pytest.fixture(scope="module")
def scan() -> xr.Dataset:
    shapes = [disc(40, MU, 3, 5), disc(4, 0.05, 15, -20), disc(3, -MU, -10, 12)]
    transmission = np.exp(-sinogram(shapes, ANGLES, COLUMNS, CENTRE))[:, None].repeat(ROWS, 1)
    return scan_of(transmission, ANGLES, flux=30000).assign(pixel_size=((), PIXEL, {"units": "um"}))


def run(scan: xr.Dataset, place: float | str = "auto") -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    veil = glare(scan, GlareParameters())
    attenuation = linearise(normalise(scan, veil, NormaliseParameters()), veil, LineariseParameters())
    found = centre(attenuation, place, CentreParameters())
    sinograms = rings(attenuation, RingsParameters())
    own = centres([found], CentresParameters()).isel(scan=0)
    return found, *reconstruct(sinograms, own, None, ReconstructParameters())


def test_a_disc_comes_back_in_1_per_cm(scan: xr.Dataset) -> None:
    found, volume, trust = run(scan)
    assert float(found["centre"]) == pytest.approx(CENTRE, abs=0.05)
    expected = MU / (PIXEL * 1e-4)
    r = np.hypot(np.arange(COLUMNS) - 66.5, np.arange(COLUMNS)[:, None] - 68.5)
    inside = (r < 36) & (np.hypot(np.arange(COLUMNS) - 78.5, np.arange(COLUMNS)[:, None] - 43.5) > 8)
    inside &= np.hypot(np.arange(COLUMNS) - 53.5, np.arange(COLUMNS)[:, None] - 75.5) > 8
    assert volume["mu"].values[:, inside].mean() == pytest.approx(expected, rel=3e-3)
    assert volume["mu"].attrs["units"] == "1/cm"
    assert float(volume["x"][1]) == PIXEL
    assert trust["starved_share"].shape == (3, 32, 32)
    assert float(trust["starved_share"][1, 16, 16]) == 0.0


def test_the_noise_map_tells_the_noise(scan: xr.Dataset) -> None:
    _, volume, trust = run(scan)
    rows = volume["mu"].values[:8]
    measured = rows.std(0)[radius_map(COLUMNS) < 20].mean()
    told = trust["noise"].values[:2, 11:21, 11:21].mean()
    assert told == pytest.approx(measured, rel=0.25)


def test_slabs_give_what_the_whole_scan_gives(scan: xr.Dataset) -> None:
    numbered = scan.assign_coords(row=np.arange(ROWS))
    _, whole, trust = run(numbered, CENTRE)
    parts = [run(numbered.isel(row=slice(a, b)), CENTRE) for a, b in ((0, 4), (4, 8), (8, 9))]
    mu = np.concatenate([part[1]["mu"].values for part in parts])
    np.testing.assert_allclose(mu, whole["mu"].values, atol=2e-3)
    np.testing.assert_array_equal(np.concatenate([part[1]["z"].values for part in parts]), whole["z"].values)
    share = np.concatenate([part[2]["starved_share"].values for part in parts])
    np.testing.assert_allclose(share, trust["starved_share"].values, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([part[2]["z_coarse"].values for part in parts]), trust["z_coarse"].values)


def test_one_scan_alone_gives_the_same_volume(scan: xr.Dataset) -> None:
    volume, place, std = reconstruct_scan(scan, rows=(2, 5))
    assert volume.shape == (3, COLUMNS, COLUMNS)
    assert volume.attrs["units"] == "1/cm"
    assert float(volume["z"][0]) == 2 * PIXEL
    assert abs(place - CENTRE) < max(4 * std, 0.03)
    without, _, _ = reconstruct_scan(scan.drop_vars("pixel_size"), centre=CENTRE, rows=(2, 3))
    assert without.attrs["units"] == "1/pixel"
    np.testing.assert_allclose(without.values[0] / (PIXEL * 1e-4), volume.values[0], atol=3)


def test_a_given_centre_is_taken(scan: xr.Dataset) -> None:
    found, _, _ = run(scan, 60.0)
    assert float(found["centre"]) == 60.0
    assert float(found["centre_std"]) == 0.0
