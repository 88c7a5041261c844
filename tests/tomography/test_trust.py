"""What can't be known is said: starved rays, glare, truncated fields."""

from functools import lru_cache

import numpy as np
import pytest
import xarray as xr
from phantoms import Ellipse, disc, image, radius_map, scan_of, sinogram, veiled
from scipy import ndimage

from operando.model.products.tomography import UNTRUSTED_SHARE
from operando.tomography.centres import CentresParameters, centres
from operando.tomography.glare import GlareParameters, glare
from operando.tomography.linearise import LineariseParameters, linearise
from operando.tomography.normalise import NormaliseParameters, normalise
from operando.tomography.reconstruct import ReconstructParameters, reconstruct
from operando.tomography.rings import RingsParameters, rings
from operando.tomography.trust import COARSE, starved_share

PIXEL, COLUMNS, ANGLES = 14.0, 240, np.arange(240) * np.pi / 240
PER_PIXEL = PIXEL * 1e-4
ELECTROLYTE, ALLOY = 3.4, 30.5
"""1/cm at 60 keV: 0.36 through 3 mm of electrolyte, 0.40 through 0.3 mm of InLi."""
BORE = 1500 / PIXEL


def protrusions(alloy: float = ALLOY) -> list[Ellipse]:
    more = (alloy - ELECTROLYTE) * PER_PIXEL
    side = 250 / PIXEL
    return [
        disc(BORE, ELECTROLYTE * PER_PIXEL),
        Ellipse(-500 / PIXEL, 0, side, side, more),
        Ellipse(500 / PIXEL, 0, side, side, more),
    ]


@lru_cache(maxsize=4)
def cell(level: float, flux: float | None = 60000.0, bulk: float = 200.0, alloy: float = ALLOY) -> xr.Dataset:
    """Sixteen rows of solid anode (1/cm) over twenty-four rows of electrolyte with two protrusions."""
    above = sinogram([disc(BORE, bulk * PER_PIXEL)], ANGLES, COLUMNS, 119.5)
    below = sinogram(protrusions(alloy), ANGLES, COLUMNS, 119.5)
    transmission = np.exp(-np.concatenate([above[:, None].repeat(16, 1), below[:, None].repeat(24, 1)], axis=1))
    scan = scan_of(veiled(transmission, level, PIXEL), ANGLES, flux=flux)
    return scan.assign(pixel_size=((), PIXEL, {"units": "um"})).assign_coords(row=np.arange(40))


def run(scan: xr.Dataset, params: GlareParameters) -> tuple[np.ndarray, np.ndarray, xr.Dataset]:
    """Slices and untrusted flags of the rows 28 to 31, and the glare."""
    veil = glare(scan, params)
    part = scan.isel(row=slice(28, 32))
    attenuation = linearise(normalise(part, veil, NormaliseParameters()), veil, LineariseParameters())
    own = centres([xr.Dataset({"centre": 119.5, "centre_std": 0.01})], CentresParameters()).isel(scan=0)
    volume, trust = reconstruct(rings(attenuation, RingsParameters()), own, None, ReconstructParameters())
    flags = (trust["starved_share"].values > UNTRUSTED_SHARE).repeat(4, 1).repeat(4, 2).repeat(4, 0)
    return volume["mu"].values, flags[:4], veil


def between() -> np.ndarray:
    """Electrolyte in the middle between the two protrusions."""
    x, y = np.arange(COLUMNS) - 119.5, np.arange(COLUMNS)[:, None] - 119.5
    return (np.abs(x) < 120 / PIXEL) & (np.abs(y) < 120 / PIXEL)


def test_glare_is_measured_in_an_opaque_shadow() -> None:
    for level in (0.02, 0.03):
        found = glare(cell(level), GlareParameters())
        assert bool(found["measured"])
        assert float(found["level"]) == pytest.approx(level, rel=0.15)


@pytest.mark.parametrize(("alloy", "uncorrected"), [(30.5, 0.93), (39.0, 0.78), (60.0, -0.16)])
def test_electrolyte_between_protrusions_is_right_or_flagged(alloy: float, uncorrected: float) -> None:
    """Two protrusions half a millimetre thick at 2 % glare, of the alloy and of what attenuates more."""
    mu, flags, _ = run(cell(0.02, alloy=alloy), GlareParameters())
    bare, _, _ = run(cell(0.02, alloy=alloy), GlareParameters(level=0.0))
    middle = np.broadcast_to(between(), mu.shape)
    assert bare[middle].mean() / ELECTROLYTE == pytest.approx(uncorrected, abs=0.04)
    known = middle & ~flags
    assert not known.any() or mu[known].mean() == pytest.approx(ELECTROLYTE, rel=0.05)
    if alloy < 40:
        assert known.sum() == middle.sum(), "what is right is not flagged"
        assert (mu < 0.5 * ELECTROLYTE)[:, radius_map(COLUMNS) < BORE - 3].mean() < 0.01, "no false void"


@pytest.mark.parametrize("level", [0.02, 0.03])
def test_a_cell_with_glare_is_labelled_right_where_it_is_trusted(level: float) -> None:
    mu, flags, _ = run(cell(level), GlareParameters())
    wrong, flagged = wrong_and_flagged(mu, flags, image(protrusions(), COLUMNS) / PER_PIXEL, 12.0)
    assert wrong < 0.01
    assert flagged <= 0.10


def wrong_and_flagged(mu: np.ndarray, flags: np.ndarray, truth: np.ndarray, dense: float) -> tuple[float, float]:
    """Share of wrong labels among the trusted voxels of the bore, and of flagged ones among those labelled right.

    Labels are void, electrolyte and what attenuates more than ``dense``, away from edges.
    """
    edge = ndimage.binary_dilation(np.abs(np.gradient(truth)).sum(0) > 0, iterations=2)
    judged = (radius_map(COLUMNS) < BORE - 4) & ~edge
    quiet = ndimage.uniform_filter(mu.mean(0), 3)
    right = np.digitize(quiet, [0.5 * ELECTROLYTE, dense]) == np.digitize(truth, [0.5 * ELECTROLYTE, dense])
    trusted = judged & ~flags[0]
    return (~right & trusted).sum() / trusted.sum(), (right & judged & flags[0]).sum() / (right & judged).sum()


def test_no_unflagged_false_void_whether_glare_is_known_or_not() -> None:
    for bulk in (200.0, 3.0):
        mu, flags, _ = run(cell(0.03, bulk=bulk), GlareParameters())
        bore = radius_map(COLUMNS) < BORE - 3
        void = (mu < 0.5 * ELECTROLYTE)[:, bore] & ~flags[:, bore]
        assert void.mean() < 0.01


def test_trusting_the_correction_flags_only_what_is_unsure_of_it() -> None:
    """A rod that lets through less than the glare adds; what is measured of the glare is subtracted first."""
    shapes = [disc(BORE, ELECTROLYTE * PER_PIXEL), disc(20, 0.09, 30, 0)]
    below = np.exp(-sinogram(shapes, ANGLES, COLUMNS, 119.5))[:, None].repeat(24, 1)
    above = np.exp(-sinogram([disc(BORE, 200 * PER_PIXEL)], ANGLES, COLUMNS, 119.5))[:, None].repeat(16, 1)
    scan = scan_of(veiled(np.concatenate([above, below], 1), 0.02, PIXEL), ANGLES, flux=60000.0)
    scan = scan.assign(pixel_size=((), PIXEL, {"units": "um"})).assign_coords(row=np.arange(40))
    inside = np.hypot(np.arange(COLUMNS) - 149.5, (np.arange(COLUMNS) - 119.5)[:, None]) < 16
    _, flags, _ = run(scan, GlareParameters(trust="level"))
    assert flags[:, inside].mean() > 0.9
    mu, flags, found = run(scan, GlareParameters())
    assert float(found["bound"]) < 0.2 * float(found["level"])
    assert flags[:, inside].mean() < 0.1
    expected = ELECTROLYTE + 0.09 / PER_PIXEL
    assert mu[:, inside].mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("level", [0.005, 0.02])
def test_rows_behind_the_slits_are_flagged_although_glare_lights_them(level: float) -> None:
    """Nothing but glare is in their flats, so that a transmission there is a ratio of two glares."""
    rows, first = 96, 72
    slits = np.clip((np.arange(rows) - first + 1) / 2, 0, 1)[:, None]
    clean = np.exp(-sinogram([disc(BORE, ELECTROLYTE * PER_PIXEL)], ANGLES[::4], COLUMNS, 119.5))
    beam = veiled(np.broadcast_to(slits, (1, rows, COLUMNS)), level, PIXEL)[0]
    seen = veiled(clean[:, None] * slits, level, PIXEL)
    scan = scan_of(seen / beam, ANGLES[::4], flux=30000, beam=beam)
    scan = scan.assign(pixel_size=((), PIXEL, {"units": "um"})).assign_coords(row=np.arange(rows))
    found = glare(scan, GlareParameters())
    assert bool(found["measured"])
    assert float(found["level"]) == pytest.approx(level, rel=0.25)
    starved = normalise(scan, found, NormaliseParameters())["starved"].values
    shade, lit = starved[:, : first - 1], starved[:, first + 1 :]
    assert shade.all()
    assert not lit.any()
    assert beam[first - 5].min() * 30000 > 5 * 2.0, "glare lights the shaded rows well above the read noise"


def test_nothing_opaque_means_glare_is_not_known() -> None:
    clear = np.exp(-sinogram([disc(90, 0.004)], ANGLES, COLUMNS, 119.5))[:, None].repeat(12, 1)
    found = glare(scan_of(clear, ANGLES, flux=40000), GlareParameters())
    assert not bool(found["measured"])
    assert float(found["level"]) == 0.0
    assert float(found["bound"]) == pytest.approx(0.03)
    assert not found.attrs["warnings"], "rays as light as these do not mind 3 % of glare"


def test_glare_that_could_not_be_measured_is_told_where_it_may_matter() -> None:
    """Nothing but the protrusions: the electrolyte between them reads 0.87 of its attenuation, and the scan says so."""
    mu, _, found = run(cell(0.02, bulk=3.0, alloy=39.0), GlareParameters())
    assert mu[np.broadcast_to(between(), mu.shape)].mean() < 0.95 * ELECTROLYTE
    assert not bool(found["measured"])
    (sentence,) = found.attrs["warnings"]
    assert "scattered light could not be measured" in sentence


def test_starved_cell_is_labelled_right_where_it_is_trusted() -> None:
    """A dense rod that lets nothing through, beside a void and electrolyte."""
    shapes = [disc(BORE, ELECTROLYTE * PER_PIXEL), disc(30, 0.15, 40, 0), disc(10, -ELECTROLYTE * PER_PIXEL, -45, 30)]
    clean = np.exp(-sinogram(shapes, ANGLES, COLUMNS, 119.5))[:, None].repeat(40, 1)
    scan = scan_of(clean, ANGLES, flux=40000).assign(pixel_size=((), PIXEL, {"units": "um"}))
    mu, flags, _ = run(scan, GlareParameters())
    wrong, flagged = wrong_and_flagged(mu, flags, image(shapes, COLUMNS) / PER_PIXEL, 40.0)
    assert wrong < 0.01
    assert flagged <= 0.10
    flags = flags[0]
    assert flags[np.hypot(*np.ogrid[-119.5:120, -159.5:80]) < 10].all()


def test_a_ray_is_starved_as_the_interface_defines_it() -> None:
    transmission = np.tile(np.linspace(0, 0.02, COLUMNS), (50, 4, 1))
    scan = scan_of(transmission, ANGLES[:50], flux=10000, read_noise=5.0, flats=40)
    found = normalise(scan, None, NormaliseParameters(zingers=False))
    limit = 3 * found["noise"].values[None]
    assert found["noise"].values.mean() == pytest.approx(5.0 / 10000, rel=0.1)
    np.testing.assert_array_equal(found["starved"].values, found["transmission"].values <= limit.astype(np.float32))
    assert (found["transmission"].values < 0).any(), "nothing is clipped"


def test_field_narrower_than_the_sample_keeps_the_attenuation() -> None:
    wide = [disc(200, 0.002), disc(20, 0.004, 30, 10), disc(15, -0.002, -40, -20)]
    data = sinogram(wide, ANGLES, COLUMNS, 119.5)[None].astype(np.float32)
    from operando.tomography.padding import reconstruct_truncated

    found = reconstruct_truncated(data, ANGLES, 119.5)[0]
    truth = image(wide, COLUMNS)
    for x, y, radius in ((30, 10, 14), (0, -60, 20), (-70, 40, 15)):
        spot = np.hypot(np.arange(COLUMNS) - 119.5 - x, np.arange(COLUMNS)[:, None] - 119.5 - y) < radius
        assert found[spot].mean() == pytest.approx(truth[spot].mean(), rel=0.02)


def test_every_ray_counts_for_the_voxels_that_it_crosses_and_for_no_other() -> None:
    """Against one ray after the other, in plain Python."""
    random = np.random.default_rng(3)
    angles, centre = np.linspace(0, np.pi, 12, endpoint=False), 9.0
    starved = random.random((8, 12, 20)) < 0.2
    starved[:4, 3] = False  # an angle without any
    found = starved_share(starved, angles, centre)
    middle = 2.0 + (centre - 9.5) / COARSE
    for z, y, x in np.ndindex(2, 5, 5):
        share = 0.0
        for angle, theta in enumerate(angles):
            column = int(np.floor(middle + (x - 2) * np.cos(theta) + (y - 2) * np.sin(theta) + 0.5))
            inside = 0 <= column < 5
            block = starved[4 * z : 4 * z + 4, angle, 4 * column : 4 * column + 4]
            share += (block.mean() if inside else 1.0) / len(angles)
        assert found[z, y, x] == pytest.approx(share, abs=1e-6)
