"""The projector against analytic chords and independent attenuation."""

import numpy as np
import pytest

from operando.twin.beam import Spectrum
from operando.twin.projector import Scene, View, paths, transmission, wall_paths

RADIUS, PIXEL, ROWS, COLUMNS = 90.0, 2.0, 70, 120


def scene_of(anode: float | np.ndarray, grains: np.ndarray | None = None) -> Scene:
    """A bore with a flat or a given anode surface and unit attenuations."""
    axis = np.arange(-96.0, 97.0, 2.0)
    surface = np.broadcast_to(np.asarray(anode, float), (len(axis), len(axis))).copy()
    return Scene(
        anode=surface,
        electrolyte=surface,
        axis=axis,
        grains=np.zeros((0, 7)) if grains is None else grains,
        radius=RADIUS,
        anode_top=-1000.0,
        cathode_top=1000.0,
        cathode_bottom=1100.0,
        wall_radii=np.array([RADIUS, RADIUS + 20]),
        wall_mu=np.array([[0.001]]),
        mu=np.array([[0.01], [0.002], [0.05], [0.001]]),
        weights=np.array([1.0]),
        energies=np.array([60.0]),
    )


def view(angle: float = 0.4, centre: float = (COLUMNS - 1) / 2, **more: object) -> View:
    return View(angle=angle, rows=ROWS, columns=COLUMNS, pixel_um=PIXEL, centre_px=centre, **more)  # type: ignore[arg-type]


def test_bore_half_full_of_anode_has_the_circle_s_chord():
    offsets, lengths = paths(scene_of(60.0), view())
    chord = 2 * np.sqrt(np.clip(RADIUS**2 - offsets**2, 0, None))
    np.testing.assert_allclose(lengths[0][:, 10], chord, atol=1e-9)
    np.testing.assert_allclose(lengths[1][:, 60], chord, atol=1e-9)
    np.testing.assert_allclose(lengths.sum(axis=0), chord[:, None] * np.ones(ROWS), atol=1e-9)


def test_surface_between_two_rows_is_shared_by_its_row():
    """Row r covers z from (r - ½) to (r + ½) pixels."""
    _, lengths = paths(scene_of(30.3 * PIXEL), view())
    middle = lengths[0][lengths.shape[1] // 2]
    np.testing.assert_allclose(middle[29:32] / (2 * RADIUS), [1.0, 0.8, 0.0], atol=1e-9)


@pytest.mark.parametrize("semi", [(20.0, 20.0, 20.0), (14.0, 30.0, 22.0)])
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.1])
def test_ellipsoid_has_its_analytic_chords(semi: tuple[float, float, float], angle: float):
    c, b, a = semi
    z0, y0, x0 = 70.0, -18.0, 25.0
    plain = paths(scene_of(-500.0), view(angle))[1][1]
    grain = np.array([[z0, y0, x0, c, b, a, 1.0]])
    offsets, lengths = paths(scene_of(-500.0, grain), view(angle))
    added = lengths[1] - plain
    u = np.array([np.cos(angle), np.sin(angle)])
    v = np.array([-np.sin(angle), np.cos(angle)])
    form = np.diag([1 / a**2, 1 / b**2])
    z = np.arange(ROWS)[None, :] * PIXEL - z0
    s = (offsets - np.array([x0, y0]) @ u)[:, None]
    # |p|² of the quadric along the ray p = s u + t v: A t² + B t + C = 0.
    quadratic, linear = v @ form @ v, 2 * s * (u @ form @ v)
    constant = s**2 * (u @ form @ u) + (z / c) ** 2 - 1
    chord = np.sqrt(np.clip(linear**2 - 4 * quadratic * constant, 0, None)) / quadratic
    inside = constant - linear**2 / (4 * quadratic) < -0.4  # rows average, so the rim is left to the volume below
    np.testing.assert_allclose(added[inside], chord[inside], rtol=0.01)
    volume = added.sum() * (offsets[1] - offsets[0]) * PIXEL
    assert volume == pytest.approx(4 / 3 * np.pi * a * b * c, rel=2e-3)


def test_point_is_seen_at_centre_plus_x_cos_plus_y_sin():
    for angle in (0.0, 0.9, 1.9, 3.0):
        grain = np.array([[70.0, 31.0, -24.0, 6.0, 6.0, 6.0, 5.0]])
        shown = view(angle, centre=57.3, shift_um=(4.0, 3.0, -2.0))
        with_grain = -np.log(transmission(scene_of(-500.0, grain), shown))
        added = with_grain + np.log(transmission(scene_of(-500.0), shown))
        columns, rows = np.arange(COLUMNS), np.arange(ROWS)
        column = (added.sum(axis=0) * columns).sum() / added.sum()
        row = (added.sum(axis=1) * rows).sum() / added.sum()
        x, y = -24.0 - 2.0, 31.0 + 3.0
        assert column == pytest.approx(57.3 + (x * np.cos(angle) + y * np.sin(angle)) / PIXEL, abs=0.01)
        assert row == pytest.approx((70.0 + 4.0) / PIXEL, abs=0.01)


def test_turned_cell_is_the_same_cell_seen_from_another_side():
    grain = np.array([[70.0, 31.0, -24.0, 6.0, 8.0, 6.0, 5.0]])
    turned = transmission(scene_of(-500.0, grain), view(1.0, turn=0.3))
    np.testing.assert_allclose(turned, transmission(scene_of(-500.0, grain), view(0.7)), rtol=1e-6)


def test_transmission_is_beer_and_lambert_s():
    subject = scene_of(60.0)
    image = transmission(subject, view(centre=59.25))
    s = 0.5 * PIXEL / 2
    chord, wall = 2 * np.sqrt(RADIUS**2 - s**2), wall_paths(subject, np.array([s]))[0, 0]
    assert image[5, 59] == pytest.approx(np.exp(-0.01 * chord - 0.001 * wall), rel=1e-4)
    assert image[60, 59] == pytest.approx(np.exp(-0.002 * chord - 0.001 * wall), rel=1e-4)


def test_protrusion_s_projection_conserves_its_volume():
    axis = np.arange(-96.0, 97.0, 2.0)
    x, y = axis[None, :] - 20, axis[:, None] + 15
    bump = 50 * np.clip(1 - (x**2 + y**2) / 40**2, 0, None) ** 2
    for angle in (0.2, 1.4):
        offsets, lengths = paths(scene_of(40 + bump), view(angle))
        _, flat = paths(scene_of(40.0), view(angle))
        volume = (lengths[0] - flat[0]).sum() * (offsets[1] - offsets[0]) * PIXEL
        assert volume == pytest.approx(50 * np.pi * 40**2 / 3, rel=2e-3)


def test_polychromatic_beam_hardens():
    subject = scene_of(60.0)
    weights = np.array([0.5, 0.5])
    hard = Scene(**{
        **vars(subject),
        "mu": np.array([[0.02, 0.004], [0.004, 0.001], [0, 0], [0, 0]]),
        "wall_mu": np.zeros((1, 2)),
        "weights": weights,
        "energies": np.array([40.0, 80.0]),
    })
    image = transmission(hard, view(centre=59.25))
    chord = 2 * np.sqrt(RADIUS**2 - 0.25)
    assert image[5, 59] == pytest.approx(0.5 * np.exp(-0.02 * chord) + 0.5 * np.exp(-0.004 * chord), rel=1e-4)
    assert Spectrum(hard.energies, weights).weights.sum() == 1
