"""From transmission to counts: glare, blur, beam profile, drift, ring current, noise and bad pixels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from operando.twin.settings import Beam, Detector

_COARSE = 32
"""Pixels of the coarse image on which long-tailed glare is spread."""


@dataclass(frozen=True)
class Camera:
    """The imaging detector of one experiment; its fixed patterns follow from the seed."""

    settings: Detector
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.settings.rows, self.settings.columns

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 31, *stream])

    @cached_property
    def profile(self) -> np.ndarray:
        """Open beam relative to its mean: a bell along the rows, scintillator structure everywhere."""
        rows = self.settings.rows
        bell = np.exp(-0.5 * (np.linspace(-1, 1, rows) / 1.4) ** 2)
        structure = 1 + 0.03 * self._generator(1).standard_normal(self.shape, dtype=np.float32)
        profile = bell[:, None].astype(np.float32) * structure
        return np.asarray(profile / profile.mean(dtype=np.float64).astype(np.float32))

    @cached_property
    def slits(self) -> np.ndarray | None:
        """Share of the beam that the slits let through to each row, with a penumbra of a pixel."""
        from scipy.special import ndtr

        if self.settings.slits_um is None:
            return None
        z = np.arange(self.settings.rows) * self.settings.pixel_um
        first, last = self.settings.slits_um
        edge = self.settings.pixel_um
        return np.asarray(ndtr((z - first) / edge) * ndtr((last - z) / edge), np.float32)[:, None]

    @cached_property
    def lit_rows(self) -> slice:
        """Rows that any direct beam reaches."""
        if self.slits is None:
            return slice(0, self.settings.rows)
        lit = np.flatnonzero(self.slits[:, 0] > 1e-7)
        return slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(0, 0)

    @cached_property
    def drift(self) -> np.ndarray:
        """How the profile changes from the flats before to the flats after, relative."""
        rows, columns = self.shape
        along, across = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
        return (self.settings.flat_drift * (along + 0.3 * np.sin(3 * across))).astype(np.float32)

    @cached_property
    def ring_pattern(self) -> np.ndarray:
        """Gain error that grows with attenuation, so that flats can't show it: rings after reconstruction."""
        return self.settings.ring_pattern * self._generator(2).standard_normal(self.shape, dtype=np.float32)

    @cached_property
    def bad_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat indices of hot and of dead pixels."""
        total = self.settings.hot_pixels + self.settings.dead_pixels
        chosen = self._generator(3).choice(self.settings.rows * self.settings.columns, total, replace=False)
        return chosen[: self.settings.hot_pixels], chosen[self.settings.hot_pixels :]

    def image(self, transmission: np.ndarray) -> np.ndarray:
        """Transmission (one in the open beam) behind the slits, with phase fringes, optics' blur and glare.

        Fringes are those of the transport-of-intensity equation for one material, I = T - D ∇²T with D = z δ / μ
        (Paganin et al., https://doi.org/10.1046/j.1365-2818.2002.01010.x).
        """
        from scipy.ndimage import gaussian_filter, laplace

        given = self.settings
        if given.phase_contrast_um2:
            strength = given.phase_contrast_um2 / given.pixel_um**2
            transmission = np.clip(transmission - strength * laplace(transmission, mode="nearest"), 0, None)
        if self.slits is not None:
            transmission = transmission * self.slits
        sigma = given.blur_um / given.pixel_um
        blurred = gaussian_filter(transmission, sigma, mode="nearest", truncate=3) if sigma > 0.05 else transmission
        return blurred if given.glare == 0 else (1 - given.glare) * blurred + given.glare * self._spread(blurred)

    @cached_property
    def open_beam(self) -> np.ndarray:
        """The image without a sample."""
        return self.image(np.ones(self.shape, np.float32))

    def _spread(self, image: np.ndarray) -> np.ndarray:
        """The image convolved with (1 + r²/r0²)^-1.5, on a coarse grid; beyond the edges it goes on unchanged."""
        from scipy.ndimage import zoom

        coarse = _binned(image, self._coarseness)
        reach, transform = self._glare_kernel
        wide = np.pad(coarse, reach, mode="edge")
        spread = np.fft.irfft2(np.fft.rfft2(wide) * transform, wide.shape)
        spread = spread[reach : reach + coarse.shape[0], reach : reach + coarse.shape[1]].astype(np.float32)
        np.clip(spread, 0, None, out=spread)  # a transform leaves -1e-12 where nothing shines
        if self._coarseness == 1:
            return spread
        grown = zoom(spread, self._coarseness, order=1, grid_mode=True, mode="nearest")
        return np.asarray(grown[: image.shape[0], : image.shape[1]])

    @property
    def _coarseness(self) -> int:
        return max(max(self.shape) // _COARSE, 1)

    @cached_property
    def _glare_kernel(self) -> tuple[int, np.ndarray]:
        """Margin in coarse pixels, and the Fourier transform of the kernel on the padded coarse grid."""
        rows, columns = (-(-n // self._coarseness) for n in self.shape)
        radius = self.settings.glare_radius_um / (self.settings.pixel_um * self._coarseness)
        reach = int(np.clip(3 * radius, 3, _COARSE))
        y, x = (np.fft.fftfreq(n + 2 * reach) * (n + 2 * reach) for n in (rows, columns))
        kernel = (1 + (x[None, :] ** 2 + y[:, None] ** 2) / radius**2) ** -1.5
        kernel[(np.abs(y)[:, None] > reach) | (np.abs(x)[None, :] > reach)] = 0.0
        return reach, np.fft.rfft2(kernel / kernel.sum())

    def mean_counts(self, image: np.ndarray, time: float, ring_current: float, flat: bool) -> np.ndarray:
        """Expected quanta × gain above the dark level; ``time`` runs from 0 (flats before) to 1 (flats after)."""
        beam = self.profile * (1 + self.drift * (time - 0.5))
        counts = self.settings.open_counts * ring_current * beam * image
        return np.asarray(counts if flat else counts * (1 + self.ring_pattern * (1 - image)))

    def expose(self, mean: np.ndarray | None, stream: tuple[int, ...]) -> np.ndarray:
        """One frame, uint16: Poisson quanta, read noise, zingers, bad pixels; ``None`` with the shutter closed."""
        given, generator = self.settings, self._generator(4, *stream)
        counts = given.dark_counts + given.read_noise_counts * generator.standard_normal(self.shape, dtype=np.float32)
        if mean is not None:
            counts += given.counts_per_quantum * generator.poisson(mean / given.counts_per_quantum)
        flat = counts.reshape(-1)
        struck = generator.choice(flat.size, generator.poisson(given.zingers))
        flat[struck] += 40 * given.open_counts * generator.uniform(0.05, 1.0, len(struck)).astype(np.float32)
        hot, dead = self.bad_pixels
        flat[hot] = 65535
        flat[dead] = 0
        return np.asarray(np.clip(np.rint(counts), 0, 65535).astype(np.uint16))


def _binned(image: np.ndarray, factor: int) -> np.ndarray:
    """Mean over factor × factor pixels; the edge is repeated to fill the last ones."""
    rows, columns = (-(-n // factor) * factor for n in image.shape)
    wide = np.pad(image, ((0, rows - image.shape[0]), (0, columns - image.shape[1])), mode="edge")
    return np.asarray(wide.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3)))


def ring_current(beam: Beam, seconds: np.ndarray | float) -> np.ndarray:
    """Current of the storage ring in mA: decay, refilled after a loss of ``top_up_ma``."""
    decay = beam.ring_lifetime_h * 3600.0
    elapsed = np.asarray(seconds, float)
    if beam.top_up_ma > 0:
        period = -decay * np.log(1 - beam.top_up_ma / beam.ring_current_ma)
        elapsed = np.mod(elapsed, period)
    return beam.ring_current_ma * np.exp(-elapsed / decay)
