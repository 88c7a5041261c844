"""When thin gaps beside a bright anode can't be seen."""

from operando.model.products.morphology import Classes
from operando.morphology.roles import Roles

_STREAKS = 0.002
"""Share of impossibly dark edge voxels beyond which streaks are taken to hide gaps."""


def hidden_gap(classes: Classes, roles: Roles, voxel: float) -> float:
    """Thickness (µm) of a gap that the anode's blurred edge and streaks may hide; zero where contrast is fair."""
    if roles.void is None or roles.electrolyte is None:
        return 0.0
    mean = classes["mean"].values
    small = abs(mean[roles.electrolyte - 1] - mean[roles.void - 1])
    large = abs(mean[roles.anode - 1] - mean[roles.electrolyte - 1])
    allowed = 0.25 if float(classes["streaks"]) > _STREAKS else 0.12
    return 2 * (2 * float(classes["blur"]) + voxel) if small < allowed * large else 0.0
