"""The phases that the anode's masses lead to, set against the ones that were observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operando.materials.catalogue import load, molar_mass
from operando.materials.reactions import candidates, equilibrium_phases
from operando.model.constants import CM3_TO_UM3, FARADAY_MAH_PER_MOL
from operando.model.errors import ConfigurationError

RARE = 0.1
"""A phase found in fewer of the spectra than this was not clearly there."""


@dataclass(frozen=True)
class HostPhase:
    """A phase at equilibrium with its share of the host's atoms; ``ratio`` is Li per host atom of the whole anode."""

    name: str
    host_share: float
    ratio: float
    host: str
    host_mmol: float


def equilibrium(
    mass_mg: float | Mapping[str, float] | None, temperature_c: float | None
) -> tuple[list[HostPhase], list[str]]:
    """Phases at equilibrium, or a sentence on why they can't be known."""
    if not isinstance(mass_mg, Mapping):
        return [], [
            "The masses of the anode's constituents are not given (mass_mg = { In = …, Li = … } in [cell.anode]): "
            "the phases at equilibrium can't be known."
        ]
    try:
        amounts = equilibrium_phases(mass_mg, 25.0 if temperature_c is None else temperature_c)
    except ConfigurationError as error:
        return [], [f"The phases at equilibrium can't be known: {error}"]
    host = next(name for name in mass_mg if name != "Li")
    host_mmol = mass_mg[host] / molar_mass(host)
    ratio = mass_mg.get("Li", 0.0) / molar_mass("Li") / host_mmol
    return [
        HostPhase(one.name, one.amount_mmol * _host_atoms(one.name, host) / host_mmol, ratio, host, host_mmol)
        for one in amounts
    ], []


def _host_atoms(name: str, host: str) -> float:
    from xraydb import chemparse

    return float(chemparse(load(name).formula).get(host, 0.0))


def composition_sentences(
    implied: Sequence[HostPhase], seen: Mapping[str, float] | None, moved_mah: float, configured: str
) -> list[str]:
    """What the masses imply, whether diffraction agrees, and how far the moved lithium could go."""
    if not implied:
        return []
    first = implied[0]
    names = " and ".join(one.name for one in implied)
    sentences = [
        f"The anode's masses give Li:{first.host} = {first.ratio:.2f}; at equilibrium only {names} would be there."
    ]
    sentences += _contradiction(implied, seen, names)
    if moved_mah > 0:
        share = moved_mah / FARADAY_MAH_PER_MOL * 1e3 / first.host_mmol
        sentences.append(
            f"The largest charge between two scans ({moved_mah * 1e3:.3g} µAh) is lithium for "
            f"{100 * share:.2g} % of the {first.host}, one for one."
        )
    return sentences + _support(seen, configured)


def _contradiction(implied: Sequence[HostPhase], seen: Mapping[str, float] | None, names: str) -> list[str]:
    if seen is None:
        return ["Without diffraction nothing says which phases are really there."]
    host = implied[0].host
    expected = {one.name for one in implied}
    extra = [name for name, share in seen.items() if share >= RARE and name not in expected and _made_of(name, host)]
    if not extra:
        return []
    return [
        f"Diffraction finds {' and '.join(extra)}, which should not be there next to {names}: the layers have not "
        "alloyed through, so the masses don't tell which reaction takes place."
    ]


def _made_of(name: str, host: str) -> bool:
    from xraydb import chemparse

    try:
        elements = set(chemparse(load(name).formula))
    except ConfigurationError:
        return False
    return host in elements and elements <= {host, "Li"}


def _support(seen: Mapping[str, float] | None, configured: str) -> list[str]:
    """Whether diffraction saw the phases of the configured reaction."""
    if seen is None or not configured:
        return []
    sides = [part.strip().lstrip("0123456789. ") for side in configured.split("->") for part in side.split(" + ")]
    needed = [name for name in sides if name not in {"Li", "Li+", "e-"}]
    unseen = [name for name in needed if seen.get(name, 0.0) < RARE]
    if unseen:
        return [f"Diffraction does not support {configured}: {' and '.join(unseen)} was not found."]
    return [
        f"Diffraction finds {' and '.join(needed)}, the phases of {configured}; that supports it but proves no share."
    ]


def cathode_sentences(material: str | None, temperature_c: float | None, moved_mah: float) -> list[str]:
    """How much the cathode itself changes with the largest charge, if its reaction is known."""
    if material is None or not moved_mah > 0:
        return []
    try:
        known = candidates(load(material), 25.0 if temperature_c is None else temperature_c)
    except ConfigurationError:
        return []
    hosts = [one for one in known if one.products != (("Li", 1.0),)]
    if len(hosts) != 1:
        return []
    change = moved_mah / FARADAY_MAH_PER_MOL * hosts[0].volume_cm3_per_mol * CM3_TO_UM3
    return [
        f"The cathode gives this lithium up ({hosts[0].text} backwards) and loses {change:.2g} µm³ itself; "
        "that is no part of the anode's balance but of the room it finds."
    ]
