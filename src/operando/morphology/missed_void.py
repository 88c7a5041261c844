"""What a gap that thresholds do not show takes from the anode."""

from dataclasses import dataclass

import numpy as np

from operando.model.constants import NORMAL_95
from operando.model.products.morphology import Interface, Levels
from operando.morphology.rim import SEEN
from operando.morphology.roles import Roles


@dataclass(frozen=True)
class MissedVoid:
    """Void before the anode that the fit of the gap knows and the labels don't, and what it takes from the anode.

    Labels share grey values out without loss. Of a gap of volume v and grey value g they see v − V as void, and take
    the rest for electrolyte (e) that is too dark by e V − g v in all (the void counts as 0): the anode (a) makes up for
    it, and gets (e V − g v) / (a − e) too little. µm³; ``anode_std`` is the fit's part of its standard deviation.
    """

    volume: float
    anode: float
    anode_std: float

    @classmethod
    def of(cls, interface: Interface | None, levels: Levels, phases: tuple[str, ...]) -> "MissedVoid":
        """Nothing where no gap is measured."""
        roles = Roles.of(phases)
        if interface is None or roles.void is None or roles.electrolyte is None:
            return cls(0.0, 0.0, 0.0)
        volume, low, counted, grey = (
            float(interface[name]) for name in ("cavity_volume", "cavity_volume_low", "cavity_counted", "cavity_grey")
        )
        void, electrolyte, anode = _means(levels, roles)
        if not np.isfinite(volume - counted):
            return cls(0.0, 0.0, 0.0)
        if not (anode > electrolyte > void and np.isfinite(grey)):
            return cls(volume - counted, 0.0, 0.0)
        lack = (electrolyte - void) * (volume - counted) - (grey - void) * volume
        std = (electrolyte - grey) * (volume - low) / NORMAL_95
        return cls(volume - counted, lack / (anode - electrolyte), std / (anode - electrolyte))


def _means(levels: Levels, roles: Roles) -> tuple[float, float, float]:
    """Grey values of void, electrolyte and anode; NaN for a phase that is not named."""
    mean = levels["mean"].values
    void, electrolyte = (
        np.nan if label is None else float(mean[label - 1]) for label in (roles.void, roles.electrolyte)
    )
    return void, electrolyte, float(mean[roles.anode - 1])


def unseen_take(
    net: float, advance: float, cavity_change: float, levels: Levels, phases: tuple[str, ...], voxel_um: float
) -> float:
    """How much of a net change of the anode may be void that opened or filled too thin to be seen, µm³.

    What the anode leaves may stay void. Where its surface moved by less than a gap must measure to be seen, labels take
    such void for electrolyte that is too dark and make the anode pay (e - v) / (a - e) of its volume: the change comes
    out too large by that. ``net`` and what is seen of it as ``cavity_change`` (NaN: nothing) in µm³; ``advance`` of
    the surface and ``voxel_um`` in µm.
    """
    void, electrolyte, anode = _means(levels, Roles.of(phases))
    if not (abs(advance) < SEEN * voxel_um and anode > electrolyte > void):
        return 0.0
    hidden = max(abs(net) - abs(float(np.nan_to_num(cavity_change))), 0.0)
    return hidden * (electrolyte - void) / (anode - electrolyte)
