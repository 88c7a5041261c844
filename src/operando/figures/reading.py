"""Small look-ups that several figures share: which phase is the anode, what charge was expected to do."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from operando.figures.source import Source
from operando.model.errors import OperandoError

ARROW = "\u2192"


class NothingToDrawError(OperandoError):
    """The experiment has not measured what the figure shows."""


def need(product: xr.Dataset | None, figure: str, what: str) -> xr.Dataset:
    """Return the product, or say in one sentence what the figure lacks."""
    if product is None:
        raise NothingToDrawError(f"The figure {figure!r} needs {what}, which this experiment does not have.")
    return product


def names_along(product: xr.Dataset, dim: str) -> list[str]:
    """Names that a product carries along ``dim``: its phases, tracks or reactions."""
    return [str(name) for name in product[dim].values]


def anode_name(phases: Sequence[str]) -> str:
    """The phase called anode, or the brightest.

    >>> anode_name(["void", "electrolyte", "lithium"])
    'lithium'
    """
    return "anode" if "anode" in phases else phases[-1]


def reaction_text(reaction: str) -> str:
    """Write a reaction with a true arrow.

    >>> reaction_text("In + Li -> InLi") == "In + Li \u2192 InLi"
    True
    """
    return reaction.replace("->", ARROW)


def expansion_per_charge(balance: xr.Dataset | None) -> tuple[str, float] | None:
    """Name of the configured reaction, or else the first candidate, and the volume (µm³) that 1 mAh makes by it."""
    if balance is None or balance.sizes.get("reaction", 0) == 0:
        return None
    names = names_along(balance, "reaction")
    configured = balance.attrs.get("configured")
    place = names.index(configured) if configured in names else 0
    charge, expected = balance["charge"].values, balance["electrochemical"].values[:, place]
    usable = np.isfinite(charge) & np.isfinite(expected) & (np.abs(charge) > 0)
    if not usable.any():
        return None
    largest = int(np.argmax(np.where(usable, np.abs(charge), -1.0)))
    return names[place], float(expected[largest] / charge[largest])


def scalars(source: Source, product: str, names: Sequence[str]) -> xr.Dataset | None:
    """Single numbers of every scan's product along ``scan``; its maps are not read."""
    frames = [(frame, source.product(product, frame)) for frame in source.frames(product)]
    found = [(frame, dataset) for frame, dataset in frames if dataset is not None]
    if not found:
        return None
    wanted = [name for name in names if name in found[0][1]]
    columns = {name: ("scan", np.array([float(dataset[name].values) for _, dataset in found])) for name in wanted}
    return xr.Dataset(columns, coords={"scan": [frame for frame, _ in found]})


def at_frames(table: xr.Dataset, dim: str, frames: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Values known along ``table[dim]`` at ``frames``, NaN where there is none."""
    known = dict(zip(table[dim].values.tolist(), values.tolist(), strict=True))
    return np.array([known.get(int(frame), np.nan) for frame in frames], float)
