"""Step ``ellipse``: strain against azimuth (sin²ψ) of every phase, where a ring of elements sees it."""

import numpy as np
import xarray as xr

from operando.diffraction.azimuths import sin_squared_psi
from operando.diffraction.rounding import without_last_bits
from operando.model.products.diffraction import STRAIN_ELLIPSE, Lattice, StrainEllipse
from operando.model.products.raw import Spectrum
from operando.model.step import First, Series, step

_NUMBERS = ("mean", "mean_std", "differential", "differential_std", "axis", "chi_squared")

_UNKNOWN = "the spectra give no azimuths, so strain can't be resolved by them"


@step(version=1)
def ellipse(lattices: Series[Lattice], spectrum: First[Spectrum]) -> StrainEllipse:
    """Fit mean and differential strain of each phase over the azimuths, from each element's own lattice.

    Every element is compared with itself in the first spectrum, so that its 2θ and energy scale drop out. NaN where
    fewer than three elements see the phase or the files give no azimuth.
    """
    frames = [int(one.attrs["frame"]) for one in lattices]
    names = lattices[0]["phase"].values if lattices else np.zeros(0, str)
    numbers = np.full((len(_NUMBERS), len(frames), len(names)), np.nan)
    known = "azimuth" in spectrum and bool(np.isfinite(spectrum["azimuth"].values).any())
    for row, one in enumerate(lattices if known else ()):
        for phase in range(len(names)):
            numbers[:, row, phase] = _of(one, lattices[0], phase, np.asarray(spectrum["azimuth"].values, float))
    return without_last_bits(
        STRAIN_ELLIPSE.new(
            coords={"spectrum": np.array(frames, int), "phase": ("phase", names.astype(str), "text")},
            attrs={"warnings": [_UNKNOWN] if not known and spectrum.sizes["element"] > 2 else []},
            **dict(zip(_NUMBERS, numbers, strict=True)),
        )
    )


def _of(one: xr.Dataset, first: xr.Dataset, phase: int, azimuth: np.ndarray) -> np.ndarray:
    """The ellipse of one phase in one spectrum, as a row of numbers."""
    now, before = (each["cell_element"].values[:, phase, 0] for each in (one, first))
    now_std, before_std = (each["cell_element_std"].values[:, phase, 0] for each in (one, first))
    strain, std = now / before - 1.0, np.hypot(now_std, before_std) / before
    if np.isfinite(strain + std + azimuth).sum() < 3:
        return np.full(len(_NUMBERS), np.nan)
    if one is first:
        return np.array([0.0, 0.0, 0.0, 0.0, np.nan, np.nan])
    found = sin_squared_psi(azimuth, strain, std)
    return np.array([
        found.mean, found.mean_std, found.differential, found.differential_std, found.axis_deg, found.chi_squared,
    ])  # fmt: skip
