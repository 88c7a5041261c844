"""What the cell's materials do to X-rays, and how the anode's host takes up lithium."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from operando.materials.attenuation import mass_attenuation
from operando.materials.catalogue import load, molar_mass
from operando.materials.reactions import reaction
from operando.materials.structure import at_temperature, molar_volume
from operando.model import material as matter
from operando.model.constants import CM3_TO_UM3
from operando.model.errors import ConfigurationError
from operando.twin import settings

UM_PER_CM = 1e4


@cache
def _tabulated(formula: str, energies: tuple[float, ...]) -> np.ndarray:
    """cm²/g; the same few tables are asked for at every state of the cell."""
    return mass_attenuation(formula, np.array(energies))


@dataclass(frozen=True)
class Anode:
    """The anode's host: ``host`` formula units turn into alloy, one mole of Li at a time.

    ``host_mol`` is the amount of host formula units, ``lithium_per_host`` what each takes up;
    ``volume_um3`` is the whole anode's before the experiment.
    """

    host_mol: float
    lithium_per_host: float
    initial_share: float
    active_fraction: float
    reaction_cm3_per_mol: float
    volume_um3: float
    masses_mg: dict[str, float]
    host_cm3: float
    alloy_cm3: float
    """Volumes of one host formula unit before and after, cm³/mol."""

    def volume_shares(self, alloyed: float) -> tuple[float, float]:
        """Volume shares of host and alloy when ``alloyed`` of the host's formula units are alloyed."""
        host, alloy = (1 - alloyed) * self.host_cm3, alloyed * self.alloy_cm3
        return host / (host + alloy), alloy / (host + alloy)

    def shares(self, lithium_mol: float) -> tuple[float, float]:
        """Alloyed share of the whole host and of its active part. Raises ``ConfigurationError`` outside 0 … 1."""
        rise = lithium_mol / (self.host_mol * self.lithium_per_host)
        active = self.initial_share + rise / self.active_fraction
        if not -1e-9 <= active <= 1 + 1e-9:
            raise ConfigurationError(
                f"cell.anode: the protocol would alloy {active:.3f} of the active host; make the anode thicker "
                "(thickness_um), its active_share larger, or the charge smaller."
            )
        return self.initial_share + rise, float(np.clip(active, 0, 1))


def anode_substance(given: settings.Anode, area_um2: float, temperature_c: float) -> Anode:
    """Moles of the host from the anode's thickness, and the reaction's volume per mole of Li."""
    named = reaction(given.reaction, temperature_c)
    host, alloy = (_volume(name, temperature_c) for name in (given.host, given.alloy))
    taken = dict(named.reactants).get(given.host)
    made = dict(named.products).get(given.alloy)
    if not taken or not made:
        raise ConfigurationError(
            f"cell.anode: {given.reaction!r} does not lead from {given.host!r} to {given.alloy!r}; name its own phases."
        )
    alloy_per_host = made / taken
    volume = given.thickness_um * area_um2
    mixed = (1 - given.alloyed_share) * host + given.alloyed_share * alloy * alloy_per_host
    moles = volume / CM3_TO_UM3 / mixed
    return Anode(
        host_mol=moles,
        lithium_per_host=1.0 / taken,
        initial_share=given.alloyed_share,
        active_fraction=given.active_share,
        reaction_cm3_per_mol=named.volume_cm3_per_mol,
        volume_um3=volume,
        masses_mg=_masses(given, moles, alloy_per_host),
        host_cm3=host,
        alloy_cm3=alloy * alloy_per_host,
    )


def _volume(name: str, temperature_c: float) -> float:
    return molar_volume(at_temperature(load(name), temperature_c))


def _masses(given: settings.Anode, moles: float, alloy_per_host: float) -> dict[str, float]:
    """Mass of each element of the anode before the experiment, mg."""
    from xraydb import atomic_mass, chemparse

    masses: dict[str, float] = {}
    amounts = ((given.host, 1 - given.alloyed_share), (given.alloy, given.alloyed_share * alloy_per_host))
    for name, share in amounts:
        for element, count in chemparse(load(name).formula).items():
            masses[element] = masses.get(element, 0.0) + moles * share * count * atomic_mass(element) * 1e3
    return {element: mass for element, mass in masses.items() if mass > 0}


def anode_attenuation(anode: Anode, lithium_mol: float, volume_um3: float, energies: np.ndarray) -> np.ndarray:
    """1/µm at ``energies`` (keV): the anode's atoms, spread over its present volume."""
    grams = {element: mass * 1e-3 for element, mass in anode.masses_mg.items()}
    grams["Li"] = grams.get("Li", 0.0) + lithium_mol * molar_mass("Li")
    volume_cm3 = volume_um3 / CM3_TO_UM3
    total = np.zeros(len(energies))
    for element, mass in grams.items():
        if mass > 0:
            total += mass / volume_cm3 * _tabulated(element, tuple(energies))
    return total / UM_PER_CM


def attenuation(name: str, energies: np.ndarray, relative_density: float = 1.0) -> np.ndarray:
    """1/µm of a named material at ``energies`` (keV)."""
    known = load(name)
    return relative_density * known.density_g_per_cm3 * _tabulated(known.formula, tuple(energies)) / UM_PER_CM


@cache
def material(name: str, temperature_c: float) -> matter.Material:
    """A material at the cell's temperature."""
    return at_temperature(load(name), temperature_c)
