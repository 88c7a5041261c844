"""Step ``drift``: what stands still in the beam, as the spectra see it, and lattice changes with its drift out."""

import difflib
from collections.abc import Sequence

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import chdtrc

from operando.diffraction.rounding import without_last_bits
from operando.model.errors import ConfigurationError
from operando.model.parameters import Parameters
from operando.model.products.diffraction import DRIFT, Drift, Lattice, Refined
from operando.model.step import Series, step

FLUORESCENCE = "fluorescence"


class DriftParameters(Parameters):
    """What stands still."""

    standards: tuple[str, ...] = Field(
        (FLUORESCENCE,),
        description="internal standards: fluorescence, and phases that neither react, warm up nor are strained",
    )
    unlikely: float = Field(1e-3, gt=0, lt=1, description="a chance below which a standard is said to drift")


@step(version=1)
def drift(refined: Refined, lattices: Series[Lattice], params: DriftParameters) -> Drift:
    """Follow the internal standards through the series and take their common drift from every lattice change.

    Fluorescence lines have fixed energies, so they show a gain that drifts; a phase at rest shows gain and 2θ. The
    standards' weighted mean is subtracted; its error is added to each change as if it were independent, which makes
    the intervals somewhat too wide rather than too narrow. Raises ``ConfigurationError`` for an unknown one.
    """
    _refuse_unknown(params.standards, refined)
    count = refined.sizes["spectrum"]
    shift, std, own = np.full((3, count, len(params.standards)), np.nan)
    for column, name in enumerate(params.standards):
        shift[:, column], std[:, column], own[:, column] = _shift(name, refined, lattices)
    told = np.array([_told(*one) for one in zip(shift.T, own.T, strict=True)], float).reshape(-1, 4)
    trend, trend_std, chi_squared, probability = told.T
    mean, mean_std = _mean(shift, std)
    return without_last_bits(
        DRIFT.new(
            coords={
                "spectrum": refined["spectrum"].values,
                "standard": ("standard", np.array(params.standards, dtype=str), "text"),
                "edge": ("edge", refined["edge"].values.astype(str), "text"),
            },
            attrs={"warnings": _sentences(params, trend, trend_std, chi_squared, probability)},
            shift=shift,
            shift_std=std,
            trend=trend,
            trend_std=trend_std,
            chi_squared=chi_squared,
            probability=probability,
            pinned=refined["change"].values - mean[:, None],
            pinned_std=np.hypot(refined["change_std"].values, mean_std[:, None]),
        )
    )


def _refuse_unknown(standards: Sequence[str], refined: xr.Dataset) -> None:
    known = [FLUORESCENCE, *dict.fromkeys(str(edge).rpartition(" ")[0] for edge in refined["edge"].values)]
    for name in standards:
        if name not in known and len(known) > 1:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise ConfigurationError(f"[steps.drift] standards: {name!r} is no fitted phase; {hint}")


def _shift(name: str, refined: xr.Dataset, lattices: Series[Lattice]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative change (spectra,) of all spacings that a standard shows since the first spectrum that has it.

    Its standard deviation, and that of this spectrum alone; a phase's is half of the change's variance.
    """
    if name != FLUORESCENCE:
        of_phase = [str(edge).rpartition(" ")[0] == name for edge in refined["edge"].values]
        change, std = refined["change"].values[:, of_phase], refined["change_std"].values[:, of_phase]
        both = np.sqrt((std**2).mean(axis=1)) if std.size else np.full(len(std), np.nan)
        return (change.mean(axis=1) if change.size else both), both, np.where(both > 0.0, both / np.sqrt(2.0), np.nan)
    by_frame = {int(one.attrs["frame"]): one for one in lattices if "fluorescence_shift" in one}
    seen = [by_frame.get(int(frame)) for frame in refined["spectrum"].values]
    value, own = (
        np.array([np.nan if one is None else float(one[key]) for one in seen])
        for key in ("fluorescence_shift", "fluorescence_shift_std")
    )
    known = np.flatnonzero(np.isfinite(value))
    if not len(known):
        return value, own, own
    std = np.where(np.arange(len(own)) == known[0], 0.0, np.hypot(own, own[known[0]]))
    return value[known[0]] - value, std, own


def _mean(shift: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (spectra,) over the standards and its deviation; exactly nothing where all of them begin."""
    known = np.isfinite(shift)
    exact = known & (std == 0.0)
    weight = np.where(known & ~exact, np.where(std > 0.0, std, 1.0) ** -2.0, 0.0)
    total = weight.sum(axis=1)
    safe = np.where(total > 0.0, total, 1.0)
    mean = np.where(total > 0.0, (weight * np.where(known, shift, 0.0)).sum(axis=1) / safe, np.nan)
    begins = exact.any(axis=1)
    return np.where(begins, 0.0, mean), np.where(begins, 0.0, np.where(total > 0.0, safe**-0.5, np.nan))


def _told(shift: np.ndarray, own: np.ndarray) -> tuple[float, float, float, float]:
    """Change of a straight line from first to last spectrum, its deviation, χ² of no change at all, its probability."""
    seen = np.isfinite(shift) & (own > 0.0)
    if seen.sum() < 2:
        return np.nan, np.nan, np.nan, np.nan
    own = own[seen]
    place = np.flatnonzero(seen) / (len(shift) - 1.0)
    design = np.stack([np.ones(len(place)), place], axis=1) / own[:, None]
    values = shift[seen] / own
    covariance = np.linalg.inv(design.T @ design)
    mean = float((values / own).sum() / (own**-2.0).sum())
    chi_squared = float((((shift[seen] - mean) / own) ** 2).sum())
    slope = float((covariance @ design.T @ values)[1])
    return slope, float(np.sqrt(covariance[1, 1])), chi_squared, float(chdtrc(len(place) - 1, chi_squared))


def _sentences(
    params: DriftParameters, trend: np.ndarray, std: np.ndarray, chi_squared: np.ndarray, probability: np.ndarray
) -> list[str]:
    """One sentence for every standard that does not stand still."""
    return [
        f"the internal standard {name} does not stand still: from first to last spectrum it makes all spacings seem "
        f"{trend[row]:+.1e} ± {1.96 * std[row]:.1e} larger (χ² of no change {chi_squared[row]:.0f}); the "
        "changes that the step drift gives have that taken out"
        for row, name in enumerate(params.standards)
        if probability[row] < params.unlikely
    ]
