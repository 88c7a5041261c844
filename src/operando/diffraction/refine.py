"""Step ``refine``: the lattices of all spectra together, with widths and the elements' scales shared by the series."""

import numpy as np
import xarray as xr

from operando.diffraction.refinement import REFUSED_BELOW, Spectra, refine_series
from operando.diffraction.refinement import Refined as Result
from operando.diffraction.rounding import without_last_bits
from operando.diffraction.shapes import BROADENING, EDGE, RESOLUTION
from operando.model.products.diffraction import REFINED, SHARED, Refined, Shapes, Shared
from operando.model.step import Series, step

_KNOWN = 0.5
"""A lattice counts as measured where its standard deviation is below this share of what the fit took for likely."""

SCALE = "scale"


@step(version=4)
def refine(shapes: Series[Shapes]) -> tuple[Refined, Shared]:
    """Refine the series at once: each spectrum its own lattices, the detector's widths and scales shared by all.

    As a simultaneous fit would: what is shared becomes the mean of the series weighted by what each spectrum knows of
    it, and every lattice moves by as much as it depends on it. ``change`` is free of errors that all spectra share,
    such as an element's 2θ. What the spectra contradict each other about is not shared, and the warnings say so.
    A spectrum that could not be fitted stays unknown.
    """
    frames = np.array([int(one.attrs["frame"]) for one in shapes], int)
    fitted = np.array([EDGE in one["kind"].values.astype(str) for one in shapes], bool)
    if not fitted.any():
        return _refined(frames, [], np.full((4, len(frames), 0), np.nan), []), _nothing_shared()
    shapes = [one for one, known in zip(shapes, fitted, strict=True) if known]
    kinds = shapes[0]["kind"].values.astype(str)
    edges = int((kinds == EDGE).sum())
    estimate, score, information, prior = (
        np.stack([one[name].values for one in shapes]) for name in ("estimate", "score", "information", "prior")
    )
    prior_std = shapes[0]["prior_std"].values
    found = refine_series(Spectra(estimate, score, information, prior, prior_std, edges))
    labels = shapes[0]["parameter"].values.astype(str)
    owners = [f"{BROADENING} {one}" for one in labels[kinds == BROADENING]]
    shared = _shared(found, shapes[0], owners)
    numbers = np.full((4, len(frames), edges), np.nan)
    numbers[:, fitted] = _numbers(found, shapes, edges)
    return _refined(frames, labels[:edges].tolist(), numbers, _refusals(shared)), shared


def _numbers(found: Result, shapes: Series[Shapes], edges: int) -> np.ndarray:
    """Cell, its standard deviation, change and its standard deviation (4, spectra, edges)."""
    nominal = shapes[0]["nominal"].values[:edges]
    std = np.sqrt(np.einsum("sii->si", found.covariance()))
    phase = _phase_of(shapes[0], edges)
    there = np.array([one["there"].values[phase] for one in shapes])
    known = there & (std < _KNOWN * shapes[0]["prior_std"].values[:edges])
    numbers = np.full((4, len(shapes), edges), np.nan)
    numbers[:2] = nominal * (1.0 + found.stretch), nominal * std
    first = np.argmax(known, axis=0)
    for row in range(len(shapes)):
        change, change_std = found.change(np.full(edges, row), first)
        start = 1.0 + found.stretch[first, np.arange(edges)]
        numbers[2:, row] = change / start, change_std / start
    return np.where(known, numbers, np.nan)


def _phase_of(one: xr.Dataset, edges: int) -> np.ndarray:
    """Number of the phase that each edge belongs to (edges,)."""
    names = [str(label) for label in one["parameter"].values[edges + 2 :]]
    owners = [str(label).rpartition(" ")[0] for label in one["parameter"].values[:edges]]
    return np.array([names.index(owner) for owner in owners], int)


def _refined(frames: np.ndarray, labels: list[str], numbers: np.ndarray, notes: list[str]) -> xr.Dataset:
    return without_last_bits(
        REFINED.new(
            coords={"spectrum": frames, "edge": ("edge", np.array(labels, dtype=str), "text")},
            attrs={"warnings": notes},
            **dict(zip(("cell", "cell_std", "change", "change_std"), numbers, strict=True)),
        )
    )


def _shared(found: Result, first: xr.Dataset, owners: list[str]) -> xr.Dataset:
    """Everything of which at least one spectrum tells something."""
    elements = first.sizes["element"]
    names = [SCALE] * elements + [RESOLUTION + " electronics", RESOLUTION + " charges", *owners] * elements
    element = np.r_[np.arange(elements), np.repeat(np.arange(elements), 2 + len(owners))]
    unit = np.r_[np.ones(elements), np.tile(np.r_[1.0, 1.0, first["unit"].values[-len(owners) :]], elements)]
    told = np.flatnonzero(np.isfinite(found.tested.probability))
    std = np.where(found.held, np.sqrt(np.diag(found.shared_covariance)), np.nan) * unit
    return without_last_bits(
        SHARED.new(
            coords={
                "parameter": ("shared", np.array(names, dtype=str)[told], "text"),
                "element": ("shared", element[told]),
            },
            value=(found.shared * unit)[told],
            value_std=std[told],
            held=found.held[told],
            chi_squared=found.tested.chi_squared[told],
            freedom=found.tested.freedom[told],
            probability=found.tested.probability[told],
        )
    )


def _nothing_shared() -> xr.Dataset:
    nothing = np.zeros(0)
    return SHARED.new(
        coords={"parameter": ("shared", np.zeros(0, str), "text"), "element": ("shared", np.zeros(0, int))},
        value=nothing, value_std=nothing, held=np.zeros(0, bool),
        chi_squared=nothing, freedom=nothing, probability=nothing,
    )  # fmt: skip


def _refusals(shared: xr.Dataset) -> list[str]:
    """One sentence for everything that the spectra contradict each other about, elements taken together."""
    refused: dict[str, list[int]] = {}
    for row in np.flatnonzero(~shared["held"].values):
        name = str(shared["parameter"].values[row])
        if name != RESOLUTION + " charges":
            refused.setdefault(name, []).append(int(row))
    return [_refusal(name, shared.isel(shared=rows)) for name, rows in refused.items()]


def _refusal(name: str, rows: xr.Dataset) -> str:
    what = {SCALE: "2θ or energy scale", RESOLUTION + " electronics": "the detector's resolution"}.get(
        name, f"the {BROADENING} of {name.removeprefix(BROADENING + ' ')}"
    )
    worst = rows.isel(shared=int(np.argmax(rows["chi_squared"].values - rows["freedom"].values)))
    elements = rows["element"].values.tolist()
    who = "element" if len(elements) == 1 else "elements"
    return (
        f"{who} {', '.join(map(str, elements))}: {what} changes along the series "
        f"(χ² = {float(worst['chi_squared']):.0f} at {float(worst['freedom']):.0f} degrees of freedom, "
        f"less than {REFUSED_BELOW:g} probable), so that every spectrum keeps its own"
    )
