"""The built-in experiments, and how a preset's name or a user's TOML becomes settings."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from operando.model.errors import ConfigurationError
from operando.twin.scenarios import SCENARIOS
from operando.twin.settings import Experiment


def names() -> tuple[str, ...]:
    """Names of the presets.

    >>> "tiny" in names()
    True
    """
    folder = files("operando.twin.presets")
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load(preset_or_toml: str | Path, scenario: str | None = None) -> Experiment:
    """Settings of a preset, of a scenario (staged in ``demo``), or of a TOML file.

    A file may start from a preset: ``preset = "demo"`` in its first line.

    Raises ``ConfigurationError`` for an unknown preset, with the nearest one, and for every wrong key or value.
    """
    table = _table(preset_or_toml)
    if scenario is not None:
        table = {**table, "scenario": scenario}
    return validated(table, str(preset_or_toml))


def validated(table: dict[str, Any], source: str) -> Experiment:
    """Check a table of settings; the first fault is named with its place."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{source}: {place} is wrong: {first['msg'].lower()} (found {first.get('input')!r})."
        ) from None


def _table(preset_or_toml: str | Path) -> dict[str, Any]:
    known = names()
    if str(preset_or_toml) in SCENARIOS and str(preset_or_toml) not in known:
        return {**_table("demo"), "scenario": str(preset_or_toml)}
    if str(preset_or_toml) in known:
        return tomllib.loads(files("operando.twin.presets").joinpath(f"{preset_or_toml}.toml").read_text("utf-8"))
    path = Path(preset_or_toml)
    if not path.is_file():
        near = get_close_matches(str(preset_or_toml), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"presets are {', '.join(known)}."
        raise ConfigurationError(f"{preset_or_toml}: neither a preset nor a TOML file; {hint}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: it is not TOML ({error}); correct that line.") from None
    base = table.pop("preset", None)
    return merged(_table(base), table) if base else table


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The tables of ``over`` laid over ``base``; lists are replaced.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
