"""Fluorescence lines of the elements in the beam: fixed energies that tie the energy scale down."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from operando.model.material import Material

_SHELLS = {"K": ("Ka1", "Ka2", "Ka3", "Kb1", "Kb2", "Kb3"), "L": ("La1", "La2", "Lb1", "Lb2", "Lb3", "Lg1")}


@cache
def lines_of(element: str) -> tuple[tuple[str, float, float], ...]:
    """(group, energy in keV, relative intensity) of an element's K and L lines, from xraydb, Kα apart from Kβ."""
    from xraydb import xray_lines

    known = xray_lines(element)
    return tuple(
        (name[:2], known[name].energy / 1000.0, float(known[name].intensity))
        for names in _SHELLS.values()
        for name in names
        if name in known and known[name].intensity > 0.01
    )


def elements_of(materials: Sequence[Material]) -> tuple[str, ...]:
    """Elements of the materials, each once, in alphabetical order."""
    from xraydb import chemparse

    return tuple(sorted({element for material in materials for element in chemparse(material.formula)}))


def in_range(elements: Sequence[str], low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Lines between two energies: energy (n,), group (n,), share of the group (n,), and the groups' names."""
    rows = [
        (f"{element} {group}", energy, intensity)
        for element in elements
        for group, energy, intensity in lines_of(element)
        if low < energy < high
    ]
    names = list(dict.fromkeys(name for name, _, _ in rows))
    energy = np.array([energy for _, energy, _ in rows])
    group = np.array([names.index(name) for name, _, _ in rows], dtype=np.int64)
    intensity = np.array([one for _, _, one in rows])
    total = np.bincount(group, weights=intensity, minlength=len(names)) if rows else np.zeros(0)
    return energy, group, intensity / total[group] if rows else intensity, names
