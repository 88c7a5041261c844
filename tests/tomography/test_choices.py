"""What [steps.NAME] chooses is done, from raw file to stored volume, and slabs do not show."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from phantoms import disc, image, radius_map, sinogram, veiled
from recipes import COLUMNS, FLATS, PIXEL, ROWS, SHAPES, Recipe, half_turn, plain, run
from scipy import fft, ndimage

from operando.tomography.centre import CentreParameters, centre
from operando.tomography.centres import CentresParameters, centres
from operando.tomography.reconstruct import ReconstructParameters, reconstruct
from operando.tomography.rings import RingsParameters, rings


def error(volume: xr.Dataset, truth: np.ndarray, row: int = ROWS // 2, inside: float = 26) -> float:
    """Root mean square error of a slice in 1/pixel."""
    found = volume["mu"].values[row] * PIXEL * 1e-4
    return float(np.sqrt(np.mean((found - truth)[radius_map(len(truth)) < inside] ** 2)))


TRUTH = image(SHAPES, COLUMNS)


def test_flats_follow_a_beam_that_moves(tmp_path: Path) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    shifts = np.random.default_rng(1).uniform(-1, 1, FLATS + 90)[:, None, None]
    beam = 50000 * (1 + 0.2 * np.sin((y + shifts) / 2.0 + x))
    recipe = Recipe(plain(), half_turn(), beam, noise=True)
    steady, _ = run(tmp_path / "one", recipe, "")
    following, _ = run(tmp_path / "one", recipe, '[steps.flats]\nmethod = "principal"\n')
    inside = radius_map(COLUMNS) < 26
    scatter = [one["mu"].values.std(0)[inside].mean() for one in (following, steady)]
    assert scatter[0] < 0.5 * scatter[1], "all rows show the same"


def test_the_beam_current_is_used_or_ignored(tmp_path: Path) -> None:
    falling = np.linspace(100, 60, FLATS + 90)
    true, _ = run(tmp_path / "true", Recipe(plain(), half_turn(), current=falling), "")
    recipe = Recipe(plain(), half_turn(), recorded=falling)
    wrong, _ = run(tmp_path / "wrong", recipe, "")
    ignored, _ = run(tmp_path / "wrong", recipe, '[steps.normalise]\nbeam_current = "ignored"\n')
    assert error(true, TRUTH) == pytest.approx(error(ignored, TRUTH), rel=0.05)
    assert error(wrong, TRUTH) > 1.2 * error(ignored, TRUTH)


PHASE = (
    '[steps.normalise]\nphase_retrieval = "paganin"\ndelta_over_beta = 200.0\ndistance_mm = 200.0\nenergy_kev = 30.0\n'
)


def fringed() -> np.ndarray:
    """The scan behind free propagation, by the transport-of-intensity equation; the phantom varies along z."""
    clean = plain()
    clean = clean ** (0.6 + 0.4 * np.sin(np.arange(ROWS) / 3.0))[:, None]
    strength = 12.398419843 / 30.0 * 1e-4 * 200e3 * 200.0 / (4 * np.pi) / PIXEL**2
    wide = np.concatenate([clean, clean[:, ::-1]], 1)
    k_row, k_column = (2 * np.pi * fft.fftfreq(n) for n in wide.shape[1:])
    waves = fft.fft2(wide) * (1 + strength * (k_row[:, None] ** 2 + k_column**2))
    return np.clip(fft.ifft2(waves).real[:, :ROWS], 0.01, 3)


def test_phase_retrieval_takes_the_fringes_off_and_slabs_do_not_show(tmp_path: Path) -> None:
    recipe = Recipe(fringed(), half_turn())
    scaled = TRUTH * (0.6 + 0.4 * np.sin(ROWS // 2 / 3.0))
    with_fringes, _ = run(tmp_path / "one", recipe, "")
    without, _ = run(tmp_path / "one", recipe, PHASE)
    assert error(without, scaled) < 0.5 * error(with_fringes, scaled)
    in_slabs, _ = run(tmp_path / "slabs", recipe, PHASE, memory=1 << 22)
    step = float(np.ptp(without["mu"].values)) * 1e-3
    np.testing.assert_allclose(in_slabs["mu"].values, without["mu"].values, atol=step)


def test_a_tilt_is_turned_back(tmp_path: Path) -> None:
    tall, angle = 48, 0.03
    data = plain().repeat(2, 1)
    rows, columns = np.mgrid[:tall, :COLUMNS]
    dy, dx = rows - (tall - 1) / 2, columns - (COLUMNS - 1) / 2
    # The axis leans so that the centre grows with the row.
    straight = dy * np.cos(angle) + dx * np.sin(angle), dx * np.cos(angle) - dy * np.sin(angle)
    at = np.stack([straight[0] + (tall - 1) / 2, straight[1] + (COLUMNS - 1) / 2])
    leaning = np.stack([ndimage.map_coordinates(frame, at, order=3, mode="nearest") for frame in data])
    recipe = Recipe(leaning, half_turn())
    tilted, _ = run(tmp_path / "one", recipe, "")
    back, _ = run(tmp_path / "one", recipe, "[steps.normalise]\ntilt_mrad = 30.0\n")
    for row in (4, tall - 5):
        assert error(back, TRUTH, row) < 0.6 * error(tilted, TRUTH, row)
    in_slabs, _ = run(tmp_path / "slabs", recipe, "[steps.normalise]\ntilt_mrad = 30.0\n", memory=1 << 22)
    step = float(np.ptp(back["mu"].values)) * 1e-3
    np.testing.assert_allclose(in_slabs["mu"].values, back["mu"].values, atol=step)


def test_every_ring_method_can_be_chosen(tmp_path: Path) -> None:
    gain = 1 + 0.02 * np.random.default_rng(3).normal(size=COLUMNS)
    recipe = Recipe(np.minimum(plain() ** gain, 1), half_turn())
    methods = ("none", "all-stripe", "sorting", "wavelet-fft")
    chosen = [f'[steps.rings]\nmethod = "{method}"\nwavelet_level = 3\n' for method in methods]
    found = [run(tmp_path / "one", recipe, choice)[0] for choice in chosen]
    errors = [error(one, TRUTH) for one in found]
    assert len({one["mu"].values.tobytes() for one in found}) == 4
    assert max(errors[1:3]) < 1.2 * errors[0]
    assert errors[3] < 3 * errors[0], "the wavelet method is there for comparison"


def test_hardening_is_straightened_with_the_material_and_the_spectrum(tmp_path: Path) -> None:
    from operando.materials.attenuation import mu
    from operando.materials.catalogue import load
    from operando.tomography.hardening import polychromatic

    energies = np.linspace(40, 120, 9)
    weights = np.exp(-0.5 * ((energies - 70) / 20) ** 2)
    lengths = sinogram([disc(25, PIXEL * 1e-4)], half_turn(), COLUMNS, 31.0)
    seen = polychromatic(lengths.ravel(), mu(load("InLi"), energies), weights).reshape(lengths.shape)
    folder = tmp_path / "one"
    recipe = Recipe(np.exp(-seen)[:, None].repeat(ROWS, 1), half_turn())
    hard, _ = run(folder, recipe, "")
    table = f"[tomography.spectrum]\nenergy_kev = {energies.tolist()}\nweight = {weights.tolist()}\n"
    chosen = table + '[steps.linearise]\nhardening_material = "InLi"\neffective_kev = 60.0\n'
    straight, _ = run(folder, recipe, chosen)
    expected = float(mu(load("InLi"), np.array([60.0]))[0])
    inside = radius_map(COLUMNS) < 20
    assert straight["mu"].values[:, inside].mean() == pytest.approx(expected, rel=0.02)
    assert abs(hard["mu"].values[:, inside].mean() / expected - 1) > 0.04


def test_a_given_glare_is_subtracted(tmp_path: Path) -> None:
    glare = 0.03
    clean = np.exp(-4 * sinogram(SHAPES, half_turn(), COLUMNS, 31.0))[:, None].repeat(ROWS, 1)
    recipe = Recipe(veiled(clean, glare, PIXEL, 100.0), half_turn())
    with_glare, _ = run(tmp_path / "one", recipe, "[steps.glare]\nlevel = 0.0\n")
    without, _ = run(tmp_path / "one", recipe, "[steps.glare]\nlevel = 0.03\nradius_um = 100.0\n")
    assert error(without, 4 * TRUTH) < 0.7 * error(with_glare, 4 * TRUTH)


def test_half_acquisition_makes_a_volume_twice_as_wide(tmp_path: Path) -> None:
    angles, centre = np.arange(240) * 2 * np.pi / 240, 55.3
    shapes = [disc(45, 0.01), disc(8, 0.03, 25, 10), disc(6, -0.01, -20, -18)]
    data = np.exp(-sinogram(shapes, angles, COLUMNS, centre))[:, None].repeat(8, 1)
    chosen = f'centre = {centre}\n[steps.reconstruct]\nacquisition = "half"\n'
    volume, trust = run(tmp_path / "one", Recipe(data, angles), chosen)
    assert volume["mu"].shape == (8, 2 * COLUMNS, 2 * COLUMNS)
    assert trust["starved_share"].shape == (2, COLUMNS // 2, COLUMNS // 2)
    assert error(volume, image(shapes, 2 * COLUMNS), 4, 52) < 0.0012
    share = trust["starved_share"].values[0]
    assert share[radius_map(COLUMNS // 2) < 11].max() < 0.1
    assert share[radius_map(COLUMNS // 2) > 15.5].min() > 0.2


def test_a_truncated_field_keeps_the_attenuation(tmp_path: Path) -> None:
    shapes = [disc(50, 0.006), disc(8, 0.02, 8, 5)]
    data = np.exp(-sinogram(shapes, half_turn(), COLUMNS, 31.0))[:, None].repeat(8, 1)
    recipe, inside = Recipe(data, half_turn()), radius_map(COLUMNS) < 25
    padded, _ = run(tmp_path / "one", recipe, "")
    bare, _ = run(tmp_path / "one", recipe, '[steps.reconstruct]\ntruncated = "never"\n')
    truth = image(shapes, COLUMNS)[inside].mean() / (PIXEL * 1e-4)
    assert padded["mu"].values[:, inside].mean() == pytest.approx(truth, rel=0.02)
    assert abs(bare["mu"].values[:, inside].mean() / truth - 1) > 0.05


def test_denoising_is_done_and_its_effect_on_volumes_stated(tmp_path: Path) -> None:
    recipe = Recipe(plain(), half_turn(), beam=2000.0, noise=True)
    noisy, before = run(tmp_path / "one", recipe, "")
    quiet, trust = run(tmp_path / "one", recipe, '[steps.reconstruct]\ndenoise = "non-local-means"\n')
    assert error(quiet, TRUTH) < 0.8 * error(noisy, TRUTH)
    assert "gained" not in before
    assert trust["gained"].shape == trust["lost"].shape == (ROWS // 4,)
    level = 0.5 * (quiet["mu"].values.max() + quiet["mu"].values.min())
    assert np.abs(trust["gained"] - trust["lost"]).max() < 0.2, level


def test_a_truncated_scan_does_not_show_its_slabs() -> None:
    """Half of the rows show a wider sample than the others: all are continued alike, however they are cut."""
    angles = half_turn()
    rows = [sinogram([disc(radius, 0.006)], angles, COLUMNS, 31.0) for radius in (45, 60)]
    data = np.stack(rows).repeat(8, 0).astype(np.float32)
    attenuation = xr.Dataset(
        {
            "attenuation": (("angle", "row", "column"), np.moveaxis(data, 0, 1), {"units": "1"}),
            "starved": (("angle", "row", "column"), np.zeros((len(angles), 16, COLUMNS), bool), {"units": "1"}),
            "rotation_angle": (("angle",), angles, {"units": "rad"}),
            "pixel_size": ((), PIXEL, {"units": "um"}),
        },
        coords={"row": np.arange(16)},
    )
    own = centres([centre(attenuation, 31.0, CentreParameters())], CentresParameters()).isel(scan=0)
    sinograms = rings(attenuation, RingsParameters(method="none"))
    assert bool(own["truncated"])

    def volume(low: int, high: int) -> np.ndarray:
        part = sinograms.isel(row=slice(low, high))
        return reconstruct(part, own, None, ReconstructParameters(noise_map=False))[0]["mu"].values

    np.testing.assert_array_equal(np.concatenate([volume(0, 8), volume(8, 16)]), volume(0, 16))


def test_rows_that_see_nothing_are_not_reconstructed(tmp_path: Path) -> None:
    """Behind the slits nothing is known: such rows stay 0, untrusted, and the lit ones are as without the slits."""
    lit = np.arange(ROWS) >= ROWS // 2
    whole, _ = run(tmp_path / "open", Recipe(plain(), half_turn()), "")
    half = Recipe(plain(), half_turn(), beam=20000.0 * lit[:, None])
    volume, trust = run(tmp_path / "slits", half, "")
    dark = ~lit
    np.testing.assert_allclose(volume["mu"].values[dark], 0, atol=0.001)  # as integers of a stated range hold it
    assert (trust["starved_share"].values[: dark.sum() // 4] == 1).all()
    np.testing.assert_allclose(volume["mu"].values[lit], whole["mu"].values[lit], atol=0.05)
