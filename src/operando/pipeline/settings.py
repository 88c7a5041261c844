"""Turn the configuration into what a step asks for: parameters and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operando.formats import catalogue as formats
from operando.materials import catalogue, reactions
from operando.model.configuration import Configuration
from operando.model.errors import ConfigurationError
from operando.model.reading import ReadOptions
from operando.model.step import Setting, Step
from operando.pipeline import configuration as files
from operando.pipeline import digest


@dataclass(frozen=True)
class Project:
    """An experiment's folder with its configuration."""

    folder: Path
    configuration: Configuration
    text: str

    @property
    def material_files(self) -> tuple[Path, ...]:
        """The user's own phases."""
        return tuple(self.folder / name for name in self.configuration.materials.files)


def open_project(folder: Path) -> Project:
    """Read the configuration of ``folder``."""
    configuration = files.load(folder)
    return Project(folder, configuration, (folder / files.FILE_NAME).read_text(encoding="utf-8"))


def arguments(step: Step[Any, Any], project: Project) -> dict[str, Any]:
    """Everything a step takes that is no product: its parameters and settings by argument name."""
    values = {name: value_of(setting, project) for name, setting in step.settings}
    if step.parameters is not None:
        name, model = step.parameters
        given = project.configuration.steps.get(step.name, {})
        values[name] = files.validate(model, given, ("steps", step.name), project.text, files.FILE_NAME)
    return values


def value_of(setting: Setting, project: Project) -> Any:
    """The value at a setting's path; ``None`` where its section is absent."""
    value = _configured(setting, project)
    if setting.resolve == "material":
        return _materials(value, project)
    if setting.resolve == "file":
        return _file(value, project)
    if setting.resolve == "spectrum":
        return _spectrum(_file(value, project), value)
    if setting.resolve == "reactions":
        return _reactions(value, project)
    return value


def files_of(step: Step[Any, Any], project: Project) -> dict[str, str]:
    """Identities of the files that a step's settings name."""
    paths = {
        name: _file(_configured(setting, project), project)
        for name, setting in step.settings
        if setting.resolve in {"file", "spectrum"}
    }
    return {name: digest.of_file(Path(path)) for name, path in paths.items() if path is not None}


def _configured(setting: Setting, project: Project) -> Any:
    value: Any = project.configuration
    for part in setting.path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
        if value is None:
            break
    return value


def _spectrum(path: str | None, name: Any) -> Any:
    """The first spectrum of a file; the path of a ``.json``, which is something that was saved."""
    if path is None or path.endswith(".json"):
        return path
    found = formats.open_raw(Path(path), ReadOptions(require_time=False))
    if "channel" not in found.dims:
        raise ConfigurationError(f"{files.FILE_NAME}: {name!r} is no energy-dispersive spectrum; give one.")
    return found.isel(spectrum=0).load().assign_attrs(file=str(name))


def _file(name: Any, project: Project) -> str | None:
    if name is None:
        return None
    path = (project.folder / name).absolute()
    if not path.is_file():
        raise ConfigurationError(f"{files.FILE_NAME}: there is no file {name!r}; correct the name or copy it there.")
    return str(path)


def _materials(names: Any, project: Project) -> Any:
    if names is None:
        return None
    if isinstance(names, str):
        return catalogue.load(names, project.material_files)
    return tuple(catalogue.load(name, project.material_files) for name in names)


def _reactions(electrode: Any, project: Project) -> Any:
    if electrode is None:
        return ()
    anode = catalogue.load(electrode.material, project.material_files)
    return reactions.candidates(
        anode, project.configuration.cell.temperature_c, electrode.reaction, project.material_files
    )


def check_step_names(project: Project, known: Mapping[str, Step[Any, Any]]) -> None:
    """Refuse ``[steps.NAME]`` for a step that does not exist."""
    import difflib

    for name in project.configuration.steps:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f'did you mean "{close[0]}"?' if close else "`operando steps` lists them."
            raise ConfigurationError(f"{files.FILE_NAME}: there is no step {name!r} for [steps.{name}]; {hint}")
