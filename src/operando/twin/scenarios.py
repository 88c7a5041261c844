"""Scenarios: experiments in which one named thing happens and nothing else, so that its cause is certain.

Those of diffraction hold the gauge on its pristine content and change one thing with the experiment's progress
(0 … 1); those of morphology change the settings. ``paper`` is the whole experiment, with nothing held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from operando.model.errors import ConfigurationError
from operando.twin.settings import Experiment, Step
from operando.twin.spectrometer import Conditions, Phase

Seen = tuple[list[Phase], Conditions]
Change = Callable[[list[Phase], Conditions, float, float], Seen]
"""From pristine phases, conditions, progress and size to what the spectrum sees."""


@dataclass(frozen=True)
class Scenario:
    """One cause. ``size`` is its extent at the end, in ``unit``; the settings' ``scenario_size`` replaces it."""

    text: str
    size: float = 0.0
    unit: str = ""
    change: Change | None = None
    settle: Callable[[Experiment, float], Experiment] | None = None


def _overlap(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    host = phases[0]
    return [replace(host, volume=np.asarray(host.volume) * (1 - size * progress)), *phases[1:]], state


def _strain(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    host, alloy, *others = phases
    return [host, replace(alloy, strain=size * progress), *others], state


def _composition(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    """The lattice grows with composition, and a gradient of composition widens the lines as much again."""
    host, alloy, *others = phases
    return [host, replace(alloy, strain=size * progress, spread=size * progress), *others], state


def _new_phase(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    grown = max(2 * progress - 1, 0.0) * size
    host, alloy, *others = phases
    new = replace(alloy, name="InLi2", volume=np.asarray(alloy.volume) * grown)
    return [host, replace(alloy, volume=np.asarray(alloy.volume) * (1 - grown)), *others, new], state


def _energy_drift(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    return phases, replace(state, gain=size * progress)


def _theta_drift(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    return phases, replace(state, two_theta_deg=size * progress)


def _temperature(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    return [replace(phase, temperature_c=phase.temperature_c + size * progress) for phase in phases], state


def _unchanged(phases: list[Phase], state: Conditions, progress: float, size: float) -> Seen:
    return phases, state


def _resting(settings: Experiment, size: float) -> Experiment:
    """No current and no motion: nothing happens but noise."""
    hours = 1 / 60 * (settings.tomography.first_min + settings.tomography.scans * settings.tomography.every_min)
    cycler = settings.cycler.model_copy(update={"step": (Step(kind="rest", hours=hours),)})
    motion = settings.motion.model_copy(
        update={
            "centre_drift_px": 0.0,
            "centre_jitter_px": 0.0,
            "cell_shift_um": (0.0, 0.0, 0.0),
            "cell_rotation_mrad": 0.0,
            "cell_tilt_mrad": 0.0,
            "within_scan_um": 0.0,
        }
    )
    return settings.model_copy(update={"cycler": cycler, "motion": motion})


def _moving_gauge(settings: Experiment, size: float) -> Experiment:
    resting = _resting(settings, size)
    motion = resting.motion.model_copy(update={"cell_shift_um": (size, 0.0, 0.0)})
    return resting.model_copy(update={"motion": motion})


def _glaring(settings: Experiment, size: float) -> Experiment:
    return settings.model_copy(update={"detector": settings.detector.model_copy(update={"glare": size})})


def _starving(settings: Experiment, size: float) -> Experiment:
    """A softer beam: filters thinned to this share."""
    thinner = {name: thickness * size for name, thickness in settings.beam.filters_mm.items()}
    return settings.model_copy(update={"beam": settings.beam.model_copy(update={"filters_mm": thinner})})


def _losing_contact(settings: Experiment, size: float) -> Experiment:
    """Cavities open evenly, so that almost all contact goes: their contrast is reduced to this share."""
    anode = settings.cell.anode
    anode = anode.model_copy(update={"cavity_contrast_um": anode.cavity_contrast_um * size, "hidden_share": 0.0})
    return settings.model_copy(update={"cell": settings.cell.model_copy(update={"anode": anode})})


SCENARIOS: Mapping[str, Scenario] = {
    "paper": Scenario("the whole experiment: the anode takes up and gives back lithium"),
    "overlap": Scenario("only the host's amount falls; no lattice moves", 0.95, "share lost", _overlap),
    "strain": Scenario("the alloy's lattice expands", 5e-3, "strain", _strain),
    "composition": Scenario("the alloy's lattice follows its composition, with a gradient", 2e-3, "δa/a", _composition),
    "new-phase": Scenario("InLi2 grows from the alloy from half-time on", 0.6, "share", _new_phase),
    "energy-drift": Scenario("the gain of the electronics drifts", 5e-4, "δE/E", _energy_drift),
    "theta-drift": Scenario("the diffraction angle drifts", 4e-3, "deg 2θ", _theta_drift),
    "temperature": Scenario("the cell warms up", 45.0, "K", _temperature),
    "gauge-motion": Scenario("the cell moves through the gauge, without reaction", 30.0, "um", settle=_moving_gauge),
    "glare": Scenario("strong veiling glare", 0.03, "of the open beam", settle=_glaring),
    "static": Scenario("nothing happens: the null test", 0.0, "", _unchanged, _resting),
    "starved": Scenario("a soft beam that the anode stops", 0.1, "of the filters", settle=_starving),
    "contact-loss": Scenario("cavities open all over the interface", 0.25, "of the contrast", settle=_losing_contact),
}


def scenario(name: str) -> Scenario:
    """A scenario by name. Raises ``ConfigurationError`` with the known ones."""
    if name not in SCENARIOS:
        raise ConfigurationError(f"scenario = {name!r} is not known; scenarios are {', '.join(SCENARIOS)}.")
    return SCENARIOS[name]


def size_of(settings: Experiment) -> float:
    """The scenario's extent: the settings', else its own."""
    given = settings.scenario_size
    return scenario(settings.scenario).size if given is None else given


def settled(settings: Experiment) -> Experiment:
    """The settings with the scenario's own changes."""
    settle = scenario(settings.scenario).settle
    return settle(settings, size_of(settings)) if settle else settings


def holds_gauge(settings: Experiment) -> bool:
    """Whether the scenario keeps the gauge on its pristine content."""
    return scenario(settings.scenario).change is not None


def seen(settings: Experiment, phases: Sequence[Phase], state: Conditions, progress: float) -> Seen:
    """Phases and conditions of a spectrum at ``progress`` (0 … 1) of the experiment."""
    change = scenario(settings.scenario).change
    return change(list(phases), state, progress, size_of(settings)) if change else (list(phases), state)


def described(settings: Experiment) -> dict[str, Any]:
    """What the truth says of the scenario."""
    found = scenario(settings.scenario)
    return {"name": settings.scenario, "text": found.text, "size": size_of(settings), "unit": found.unit}
