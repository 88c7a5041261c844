"""Find a material by name: the catalogue's own, or the user's files (TOML, CIF, list of d and I)."""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from operando.materials.structure import molar_volume
from operando.model.errors import BrokenFileError, ConfigurationError
from operando.model.material import Atom, ListedLine, Material

_KEYS = {field.name for field in fields(Material)}
_SUFFIX_READERS = (".toml", ".cif", ".txt", ".csv", ".xy", ".dat", ".dif")


def names(files: Sequence[str | Path] = ()) -> tuple[str, ...]:
    """Names of all materials: the catalogue's and those of the user's files."""
    own = [Path(entry.name).stem for entry in package_files("operando.materials").joinpath("data").iterdir()
           if entry.name.endswith(".toml")]  # fmt: skip
    return tuple(sorted({*own, *(Path(file).stem for file in files)}))


def load(name: str, files: Sequence[str | Path] = ()) -> Material:
    """Load a material by name; a user's file of that name goes before the catalogue.

    Raises ``ConfigurationError`` for an unknown name, with the nearest known one, and ``BrokenFileError``
    for a file that can't be read.

    >>> load("InLi").formula_units
    8
    """
    for file in files:
        if Path(file).stem == name:
            return read(Path(file))
    known = names(files)
    spelled = {one.lower(): one for one in known}.get(name.lower(), name)
    if spelled != name and any(Path(file).stem == spelled for file in files):
        return load(spelled, files)
    if spelled not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "see `operando materials`."
        raise ConfigurationError(f"{name!r} is no known material; {hint}")
    return _own(spelled)


def read(file: Path) -> Material:
    """Read a user's material: ``.toml`` like the catalogue's, ``.cif``, or a text list of d, I and perhaps h k l."""
    suffix = file.suffix.lower()
    if suffix not in _SUFFIX_READERS:
        raise BrokenFileError(
            file, f"a material can't be read from {suffix!r}", "give .cif, .toml, or a .txt of d and I"
        )
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BrokenFileError(file, f"it can't be read ({error.strerror})", "correct [materials] files") from None
    if suffix == ".toml":
        return _from_toml(text, file.stem, str(file))
    return _from_cif(text, file) if suffix == ".cif" else _from_list(text, file)


@cache
def _own(name: str) -> Material:
    resource = package_files("operando.materials").joinpath("data", f"{name}.toml")
    return _from_toml(resource.read_text(encoding="utf-8"), name, resource.name)


def _from_toml(text: str, name: str, file: str) -> Material:
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BrokenFileError(file, f"it is not TOML ({error})", "correct that line") from None
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        near = get_close_matches(unknown[0], _KEYS, n=1)
        remedy = f"did you mean {near[0]!r}" if near else f"use {', '.join(sorted(_KEYS))}"
        raise BrokenFileError(file, f"unknown key {unknown[0]!r}", remedy)
    table["atoms"] = tuple(Atom(**atom) for atom in table.get("atoms", ()))
    table["listed_lines"] = tuple(_listed_line(line, file) for line in table.get("listed_lines", ()))
    for key in ("sources", "cell", "composition_range"):
        if key in table:
            table[key] = tuple(table[key])
    defaults = {"name": name, "title": name, "status": "sound", "sources": (file,), "density_g_per_cm3": float("nan")}
    if "formula" not in table:
        raise BrokenFileError(file, "it has no formula", 'add one, for example formula = "InLi"')
    return _with_density(Material(**{**defaults, **table}))


def _listed_line(line: Any, file: str) -> ListedLine:
    try:
        hkl = line.get("hkl")
        return ListedLine(float(line["d"]), float(line["intensity"]), tuple(hkl) if hkl else None)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BrokenFileError(
            file, f"the line {line!r} is not understood", "write { d = 1.39, intensity = 100 }"
        ) from None


def _with_density(material: Material) -> Material:
    """Density from the lattice and the formula's weight, unless the file states one."""
    if material.cell is None or material.formula_units is None or material.density_g_per_cm3 > 0.0:
        return material
    return replace(material, density_g_per_cm3=molar_mass(material.formula) / molar_volume(material))


def molar_mass(formula: str) -> float:
    """Grams per mole of a formula.

    >>> round(molar_mass("InLi"), 2)
    121.76
    """
    from xraydb import atomic_mass, chemparse

    return float(sum(count * atomic_mass(element) for element, count in chemparse(formula).items()))


def _from_cif(text: str, file: Path) -> Material:
    import gemmi

    try:
        block = gemmi.cif.read_string(text).sole_block()
        small = gemmi.make_small_structure_from_block(block)
    except (RuntimeError, ValueError) as error:
        raise BrokenFileError(file, f"it is not a readable CIF ({error})", "export it again") from None
    if not small.cell.is_crystal() or small.spacegroup is None:
        raise BrokenFileError(file, "it has no cell or no known space group", "add them to the CIF")
    formula = _cif_text(block, "_chemical_formula_sum").replace(" ", "") or small.sites[0].element.name
    units = _cif_text(block, "_cell_formula_units_Z")
    doi = _cif_text(block, "_journal_paper_doi") or _cif_text(block, "_citation_doi")
    return _with_density(
        Material(
            name=file.stem,
            title=_cif_text(block, "_chemical_name_common") or _cif_text(block, "_chemical_name_mineral") or file.stem,
            formula=formula,
            density_g_per_cm3=float("nan"),
            status="sound",
            sources=(f"{file.name}{f', doi:{doi}' if doi else ''}",),
            space_group=small.spacegroup.xhm(),
            cell=tuple(small.cell.parameters),
            formula_units=int(float(units)) if units else _units_from_contents(small, formula),
            atoms=tuple(_cif_atom(site) for site in small.sites),
            intensities="atoms" if len(small.sites) else "free",
        )
    )


def _units_from_contents(small: Any, formula: str) -> int | None:
    """Z from the cell's contents where the CIF does not state it."""
    from xraydb import chemparse

    wanted = chemparse(formula)
    counted: dict[str, float] = {}
    for site in small.get_all_unit_cell_sites():
        counted[site.element.name] = counted.get(site.element.name, 0.0) + site.occ
    shared = [counted[element] / count for element, count in wanted.items() if element in counted and count]
    return max(1, round(shared[0])) if shared else None


def _cif_atom(site: Any) -> Atom:
    b_iso = 8.0 * math.pi**2 * site.u_iso if site.u_iso > 0 else 1.0
    return Atom(site.element.name, site.fract.x, site.fract.y, site.fract.z, site.occ, b_iso)


def _cif_text(block: Any, tag: str) -> str:
    import gemmi

    value = block.find_value(tag)
    return "" if value is None or value in {"?", "."} else gemmi.cif.as_string(value).strip()


def _from_list(text: str, file: Path) -> Material:
    """A card: columns d, I and perhaps h k l; ``#`` starts a comment, ``# formula: InLi2`` names the formula.

    Without it the file's name is the formula if it can be one; else none is known.
    """
    found: list[ListedLine] = []
    formula = file.stem if _is_formula(file.stem) else ""
    for number, row in enumerate(text.splitlines(), start=1):
        comment = row.partition("#")[2].strip()
        if comment.lower().startswith("formula:"):
            formula = comment.partition(":")[2].strip()
            if not _is_formula(formula):
                raise BrokenFileError(file, f"{formula!r} is no formula", "write for example # formula: InLi2")
        words = row.partition("#")[0].replace(",", " ").replace(";", " ").split()
        if words:
            found.append(_card_row(words, file, number))
    if not found:
        raise BrokenFileError(file, "it lists no lines", "write one line a row: d in angstrom, intensity")
    return Material(
        name=file.stem,
        title=file.stem,
        formula=formula,
        density_g_per_cm3=float("nan"),
        status="approximate",
        sources=(file.name,),
        listed_lines=tuple(found),
        intensities="listed",
    )


def _is_formula(text: str) -> bool:
    from xraydb import chemparse

    try:
        return bool(chemparse(text))
    except ValueError:
        return False


def _card_row(words: list[str], file: Path, number: int) -> ListedLine:
    try:
        d, intensity, *indices = (float(word) for word in words)
    except ValueError:
        raise BrokenFileError(
            file, f"line {number} reads {' '.join(words)!r}", "write d, I and perhaps h k l"
        ) from None
    if not 0.0 < d < 100.0 or intensity < 0.0 or len(indices) not in {0, 3}:
        raise BrokenFileError(file, f"line {number} reads {' '.join(words)!r}", "write d, I and perhaps h k l")
    hkl = tuple(int(index) for index in indices)
    return ListedLine(d, intensity, (hkl[0], hkl[1], hkl[2]) if hkl else None)
