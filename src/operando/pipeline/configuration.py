"""Read ``operando.toml``: typed, with the line and a suggestion for every key that nobody knows."""

import difflib
import re
import tomllib
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from operando.model.configuration import Configuration
from operando.model.errors import ConfigurationError

FILE_NAME = "operando.toml"


def load(folder: Path) -> Configuration:
    """Read and validate ``folder/operando.toml``.

    Raises ``ConfigurationError`` naming file, line, what was found and what to write instead.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: there is no such file; write one with `operando init {folder} --from RAW…` or go to its folder."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8.") from None
    try:
        return parse(text, str(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}; correct that line.") from None


def parse(text: str, name: str = FILE_NAME) -> Configuration:
    """Validate the text of a configuration; ``name`` is used in messages."""
    try:
        return Configuration.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ConfigurationError(_sentence(error, Configuration, text, name)) from None


def validate(model: type[BaseModel], values: dict[str, Any], where: tuple[str, ...], text: str, name: str) -> Any:
    """Validate ``values`` found in the table ``where`` of a configuration text against ``model``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_sentence(error, model, text, name, where)) from None


def _sentence(error: ValidationError, model: type[BaseModel], text: str, name: str, where: tuple[str, ...] = ()) -> str:
    first = error.errors()[0]
    location = tuple(str(part) for part in first["loc"])
    line = _line_of(text, where + location)
    place = f"{name}, line {line}" if line else name
    dotted = ".".join(where + location)
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(location[-1], _known_keys(model, first["loc"][:-1]), n=1)
        hint = (
            f'did you mean "{close[0]}"?' if close else f"known are {', '.join(_known_keys(model, first['loc'][:-1]))}."
        )
        return f"{place}: unknown key {dotted!r}; {hint}"
    if first["type"] == "missing":
        return f"{place}: {dotted!r} is missing; add it."
    return f"{place}: {dotted} = {first['input']!r} is not possible: {_uncapitalised(first['msg'])}."


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys of the nested model at ``location``."""
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        nested = _model_in(model.model_fields[part].annotation)
        if nested is None:
            return []
        model = nested
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None


_TABLE = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")


def _line_of(text: str, location: tuple[str, ...]) -> int | None:
    """Line (from 1) of the deepest part of ``location`` that can be found in the text."""
    names = [part for part in location if not part.isdigit()]
    best: tuple[int, int] | None = None
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header:
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            depth = len(table) if names[: len(table)] == table else 0
        else:
            key = re.match(r"^\s*[\"']?([\w.-]+)[\"']?\s*=", line)
            path = table + key[1].split(".") if key else []
            depth = len(path) if key and names[: len(path)] == path else 0
        if depth and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None
