"""Why a result is not up to date, in words."""

from typing import Any

from operando.pipeline import digest
from operando.pipeline.index import Entry


def shortened(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe for the journal: long lists of inputs by their digest."""
    inputs = {
        name: value if isinstance(value, str | None) else digest.of_plain(value)
        for name, value in recipe["inputs"].items()
    }
    return recipe | {"inputs": inputs}


def explain(old: Entry | None, recipe: dict[str, Any]) -> str:
    """Why what the shortened ``recipe`` describes has to be made.

    >>> old = Entry("segment", "a", "1", {"version": 1, "arguments": {"p": {"threshold": 0.41}}, "inputs": {}})
    >>> explain(old, {"version": 1, "arguments": {"p": {"threshold": 0.43}}, "inputs": {}})
    'threshold changed 0.41 → 0.43'
    """
    if old is None:
        return "never made"
    if old.error:
        return "failed before"
    reasons: list[str] = []
    if old.recipe.get("version") != recipe["version"]:
        reasons.append(f"version changed {old.recipe.get('version')} → {recipe['version']}")
    reasons += _differences(old.recipe.get("arguments", {}), recipe["arguments"], "")
    before, now = old.recipe.get("inputs", {}), recipe["inputs"]
    reasons += [f"{name} changed" for name in now if before.get(name) != now[name]]
    return ", ".join(reasons) or "its files are gone or it was asked for again"


def _differences(before: Any, now: Any, name: str) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [text for key in keys for text in _differences(before.get(key), now.get(key), str(key))]
    return [] if before == now else [f"{name} changed {before} → {now}"]
