"""What is known beforehand of how strongly a scattering volume shows: beam, absorption on the way, detector.

An integrated intensity at a fixed angle is Φ(E) E⁻² A(E) ε(E) m|F|² V / v², with Φ the photons per keV on the sample,
A the transmission of the way in and out, ε the share that the detector absorbs, V the phase's volume and v its unit
cell's: Buras and Gerward (1989), https://doi.org/10.1016/0960-8974(89)90010-X; their i₀(λ) λ⁴ is Φ(E) E⁻² but for
constants.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from operando.materials.attenuation import mass_attenuation, mu
from operando.materials.catalogue import load
from operando.model.errors import ConfigurationError
from operando.model.material import Material
from operando.model.parameters import Parameters

_CRYSTALS = {"Ge": 5.323, "Si": 2.329, "CdTe": 5.85}
"""Densities in g/cm³."""


class ResponseParameters(Parameters):
    """What is known of beam, absorption and detector; what is not given stays an unknown smooth factor."""

    critical_energy_kev: float | None = Field(
        None, gt=0, description="of the bending magnet or wiggler, in the orbit's plane; with filters_mm"
    )
    filters_mm: dict[str, float] = Field({}, description="filters of that beam by material, e.g. { Al = 2.0 }")
    beam_kev: tuple[float, ...] = Field((), description="or energies of a spectrum that was measured or calculated")
    beam_photons: tuple[float, ...] = Field((), description="its photons per keV on the sample, on any scale")
    walls_mm: dict[str, float] = Field({}, description="way through the cell's walls, in and out together, by material")
    sample_mm: dict[str, float] = Field({}, description="mean way through the sample, in and out together, by material")
    crystal: Literal["Ge", "Si", "CdTe"] | None = Field(None, description="what the detector's crystal is")
    crystal_mm: float | None = Field(None, gt=0, description="its thickness")
    window_mm: dict[str, float] = Field({}, description="windows and dead layers of the detector by material")
    apart: tuple[str, ...] = Field((), description="phases that do not lie among the others, so that other ways apply")


def missing(given: ResponseParameters) -> list[str]:
    """Which of the factors are not given, in words."""
    beam = given.critical_energy_kev is not None or bool(given.beam_kev)
    detector = given.crystal is not None and given.crystal_mm is not None
    absorption = bool(given.sample_mm)
    named = (("the beam's spectrum", beam), ("absorption in the sample", absorption), ("the detector", detector))
    return [name for name, known in named if not known]


def known_logarithm(given: ResponseParameters, energy: np.ndarray, phases: Sequence[Material]) -> np.ndarray:
    """Logarithm (energies,) of the part of the response that is given, E⁻² always, on an arbitrary scale.

    ``energy`` in keV; ``phases`` may be named in the ways. Raises ``ConfigurationError`` for what can't be understood.
    """
    own = {one.name: one for one in phases}
    total = -2.0 * np.log(energy) + _beam(given, energy, own)
    for way in (given.walls_mm, given.sample_mm, given.window_mm):
        total = total - _attenuated(way, energy, own)
    if given.crystal is not None and given.crystal_mm is not None:
        depth = mass_attenuation(given.crystal, energy) * _CRYSTALS[given.crystal] * given.crystal_mm / 10.0
        total = total + np.log(-np.expm1(-depth))
    return np.asarray(total)


def _beam(given: ResponseParameters, energy: np.ndarray, own: Mapping[str, Material]) -> np.ndarray:
    if given.beam_kev and given.critical_energy_kev is not None:
        raise ConfigurationError("[steps.response]: give critical_energy_kev or beam_kev with beam_photons, not both.")
    if given.critical_energy_kev is not None:
        return wiggler(energy, given.critical_energy_kev) - _attenuated(given.filters_mm, energy, own)
    if not given.beam_kev and not given.beam_photons:
        return np.zeros(len(energy))
    knots, photons = np.array(given.beam_kev, float), np.array(given.beam_photons, float)
    rising = len(knots) == len(photons) > 1 and bool(np.all(np.diff(knots) > 0.0) and np.all(photons > 0.0))
    if not rising or knots[0] > energy.min() or knots[-1] < energy.max():
        raise ConfigurationError(
            f"[steps.response]: beam_kev must rise, reach from {energy.min():.1f} to {energy.max():.1f} keV and have "
            "as many beam_photons above zero."
        )
    return np.asarray(np.interp(energy, knots, np.log(photons)))


def wiggler(energy: np.ndarray, critical_kev: float) -> np.ndarray:
    """Logarithm (energies,) of photons per keV in the orbit's plane, on an arbitrary scale: y K²(2/3; y/2).

    X-ray Data Booklet (Lawrence Berkeley National Laboratory, 2009), section 2.1, equation 5, per keV.
    """
    from scipy.special import kve

    y = np.asarray(energy, float) / critical_kev
    return np.asarray(np.log(y) + 2.0 * np.log(kve(2.0 / 3.0, y / 2.0)) - y)


def _attenuated(way_mm: Mapping[str, float], energy: np.ndarray, own: Mapping[str, Material]) -> np.ndarray:
    """Optical depth (energies,) of a way through several materials."""
    total = np.zeros(len(energy))
    for name, length in way_mm.items():
        if not length >= 0.0:
            raise ConfigurationError(f"[steps.response]: {name} = {length:g} mm is no way; give a positive length.")
        total += length / 10.0 * _mu(name, energy, own)
    return total


def _mu(name: str, energy: np.ndarray, own: Mapping[str, Material]) -> np.ndarray:
    """Attenuation in 1/cm of a phase of the experiment, an element or a material of the catalogue."""
    from xraydb import atomic_density, atomic_number

    if name in own:
        return mu(own[name], energy)
    try:
        atomic_number(name)
    except (KeyError, ValueError, TypeError):
        return mu(load(name), energy)
    return mu(name, energy, float(atomic_density(name)))


def between_edges(energy: np.ndarray, elements: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Lines (lines,) in that range between K edges which holds most of them, and the edges in words.

    Nothing smooth goes across an edge of an element in the beam's way, unless the way is known.
    """
    from xraydb import xray_edge

    edges = sorted((float(xray_edge(element, "K").energy) / 1000.0, element) for element in elements)
    inside = [(at, element) for at, element in edges if energy.min() < at < energy.max()]
    part = np.searchsorted([at for at, _ in inside], energy)
    return part == np.bincount(part).argmax(), [f"{element} K at {at:.1f} keV" for at, element in inside]
