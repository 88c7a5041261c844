"""Ellipses with projections known in closed form: the truth that tomography is tested against."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import fft

from operando.model.products.raw import SCAN


@dataclass(frozen=True)
class Ellipse:
    """Attenuation ``mu`` (1/pixel) inside an ellipse; lengths in pixels from the axis, ``tilt`` in rad."""

    x: float
    y: float
    a: float
    b: float
    mu: float
    tilt: float = 0.0


def disc(radius: float, mu: float, x: float = 0.0, y: float = 0.0) -> Ellipse:
    return Ellipse(x, y, radius, radius, mu)


def sinogram(shapes: list[Ellipse], angles: np.ndarray, columns: int, centre: float) -> np.ndarray:
    """Line integrals averaged over each column's width, float64 (angle, column)."""
    total = np.zeros((len(angles), columns))
    column = np.arange(columns)[None, :] - centre
    for e in shapes:
        at = column - (e.x * np.cos(angles) + e.y * np.sin(angles))[:, None]
        width = np.sqrt((e.a * np.cos(angles - e.tilt)) ** 2 + (e.b * np.sin(angles - e.tilt)) ** 2)[:, None]

        def area(s: np.ndarray, width: np.ndarray = width) -> np.ndarray:
            s = np.clip(s, -width, width)
            return 0.5 * (s * np.sqrt(width**2 - s**2) + width**2 * np.arcsin(s / width))

        total += 2 * e.a * e.b * e.mu / width**2 * (area(at + 0.5) - area(at - 0.5))
    return total


def image(shapes: list[Ellipse], size: int, fine: int = 4) -> np.ndarray:
    """The phantom itself, averaged over each voxel: (y, x)."""
    sub = (np.arange(size * fine) + 0.5) / fine - 0.5 - (size - 1) / 2
    y, x = sub[:, None], sub[None, :]
    total = np.zeros((size * fine, size * fine), np.float32)
    for e in shapes:
        u = (x - e.x) * np.cos(e.tilt) + (y - e.y) * np.sin(e.tilt)
        v = -(x - e.x) * np.sin(e.tilt) + (y - e.y) * np.cos(e.tilt)
        total += np.float32(e.mu) * ((u / e.a) ** 2 + (v / e.b) ** 2 <= 1)
    return total.reshape(size, fine, size, fine).mean((1, 3))


def radius_map(size: int) -> np.ndarray:
    """Distance of each voxel from the axis in pixels."""
    place = np.arange(size) - (size - 1) / 2
    return np.hypot(place[:, None], place)


def shepp_logan(size: int) -> list[Ellipse]:
    """Modified Shepp-Logan head in a field of ``size`` columns, with six small dense particles."""
    half = size / 2
    table = [
        (1.0, 0.69, 0.92, 0, 0, 0),
        (-0.8, 0.6624, 0.874, 0, -0.0184, 0),
        (-0.2, 0.11, 0.31, 0.22, 0, -18),
        (-0.2, 0.16, 0.41, -0.22, 0, 18),
        (0.1, 0.21, 0.25, 0, 0.35, 0),
        (0.1, 0.046, 0.046, 0, 0.1, 0),
        (0.1, 0.046, 0.046, 0, -0.1, 0),
        (0.1, 0.046, 0.023, -0.08, -0.605, 0),
        (0.1, 0.023, 0.023, 0, -0.606, 0),
        (0.1, 0.023, 0.046, 0.06, -0.605, 0),
    ]
    head = [Ellipse(x * half, y * half, a * half, b * half, m, np.radians(t)) for m, a, b, x, y, t in table]
    turns = np.arange(6) * 1.1 + 0.3
    return head + [disc(0.006 * size, 1.0, 0.25 * size * np.cos(t), 0.3 * size * np.sin(t)) for t in turns]


def veiled(transmission: np.ndarray, level: float, pixel: float, radius_um: float = 300.0) -> np.ndarray:
    """Spread a share of the light with (1 + r²/r0²)^-1.5, as scintillators and lenses do."""
    rows, columns = transmission.shape[1:]
    wide = np.pad(transmission.astype(np.float32), ((0, 0), (rows, rows), (columns // 2, columns // 2)), mode="edge")
    y, x = (fft.fftfreq(n) * n * pixel for n in wide.shape[1:])
    kernel = (1 + (y[:, None] ** 2 + x**2) / radius_um**2) ** -1.5
    blurred = fft.irfft2(fft.rfft2(wide) * fft.rfft2((kernel / kernel.sum()).astype(np.float32)), wide.shape[1:])
    return (1 - level) * transmission + level * blurred[:, rows:-rows, columns // 2 : -(columns // 2)]


def scan_of(
    transmission: np.ndarray,
    angles: np.ndarray,
    flux: float | None = None,
    flats: int = 5,
    seed: int = 0,
    dark: float = 100.0,
    read_noise: float = 2.0,
    beam: np.ndarray | float = 1.0,
    file: str = "scan_0001.nxs",
) -> xr.Dataset:
    """A raw scan from transmissions (angle, row, column) with ``flux`` counts a pixel, or free of noise."""
    rng = np.random.default_rng(seed)
    size = transmission.shape[1:]
    level = 10000.0 if flux is None else flux

    def exposed(light: np.ndarray) -> np.ndarray:
        if flux is None:
            return light * level + dark
        return rng.poisson(np.maximum(light, 0) * level) + rng.normal(dark, read_noise, light.shape)

    open_beam = np.broadcast_to(np.asarray(beam, float), size)
    white = np.stack([exposed(open_beam) for _ in range(flats)])
    black = np.stack([exposed(np.zeros(size)) for _ in range(flats)])
    counts = np.concatenate([white, black, exposed(transmission * open_beam)])
    counts = counts.astype(np.float32) if flux is None else np.clip(counts.round(), 0, 65535).astype(np.uint16)
    return SCAN.new(
        attrs={"file": file, "frame": 0},
        counts=counts,
        image_key=np.repeat([1, 2, 0], [flats, flats, len(angles)]),
        rotation_angle=np.concatenate([np.full(2 * flats, np.nan), angles]),
        start=np.datetime64("NaT", "ns"),
        end=np.datetime64("NaT", "ns"),
    )
