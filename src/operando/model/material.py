"""What a material is: structure, density, attenuation's ingredients and where each number comes from."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Atom:
    """One site of the asymmetric unit; fractional coordinates, isotropic displacement in Å²."""

    element: str
    x: float
    y: float
    z: float
    occupancy: float = 1.0
    b_iso: float = 1.0


@dataclass(frozen=True)
class ListedLine:
    """One line of a powder-diffraction card: spacing in Å, intensity relative to 100."""

    d: float
    intensity: float
    hkl: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Material:
    """A phase or container material.

    ``density_g_per_cm3`` follows from the cell where there is one.

    ``cell`` is a, b, c (Å), alpha, beta, gamma (degrees) at ``temperature_c``; ``formula_units`` is Z.
    ``intensities`` says whether the atoms are good enough for structure factors (``"atoms"``), or only the
    positions of the lines are (``"free"``), or a card lists them (``"listed"``).
    """

    name: str
    title: str
    formula: str
    density_g_per_cm3: float
    status: Literal["sound", "approximate"]
    sources: tuple[str, ...]
    space_group: str | None = None
    cell: tuple[float, float, float, float, float, float] | None = None
    cell_relative_std: float = 0.0
    """Relative standard deviation of the cell's lengths among what is published."""
    formula_units: int | None = None
    atoms: tuple[Atom, ...] = ()
    listed_lines: tuple[ListedLine, ...] = ()
    intensities: Literal["atoms", "free", "listed"] = "free"
    temperature_c: float = 25.0
    thermal_expansion_per_k: float | None = None
    bulk_modulus_gpa: float | None = None
    yield_stress_mpa: float | None = None
    composition_range: tuple[float, float] | None = None
    """Range of the atomic fraction of ``composition_element`` within the phase, where it has a width."""
    composition_element: str | None = None
    cell_per_composition: float | None = None
    """Change of a (Å) per unit of that atomic fraction."""


@dataclass(frozen=True)
class Reaction:
    """A host reaction per mole of lithium: ``{"In": 1, "Li": 1} -> {"InLi": 1}``; volumes in cm³/mol of Li.

    ``volume_cm3_per_mol`` counts the solid host only: the lithium arrives as ions.
    """

    text: str
    reactants: tuple[tuple[str, float], ...]
    products: tuple[tuple[str, float], ...]
    volume_cm3_per_mol: float
    volume_std_cm3_per_mol: float
    status: Literal["sound", "approximate"]
