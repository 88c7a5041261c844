"""One call for each thing a user asks of an experiment's folder: run, check, status."""

import json
import logging
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operando.model.errors import ConfigurationError, OperandoError
from operando.pipeline import codec, lock, logs, publish, raw, run, settings, storage
from operando.pipeline.clocks import check_clocks
from operando.pipeline.estimate import Need, needed
from operando.pipeline.events import Listener, Options, Report
from operando.pipeline.index import LAYOUT, Index, layout_of
from operando.pipeline.store import FRAMES_FILE, RESULTS

log = logging.getLogger(__name__)

MEMORY_FILE = "raw.json"


@dataclass(frozen=True)
class Done:
    """What a run of an experiment did."""

    report: Report
    files: tuple[Path, ...]
    need: Need | None = None


def bring_up_to_date(
    folder: Path, options: Options, tell: Listener, version: str, accept: raw.Accept | None = None
) -> Done:
    """Compute what is missing or stale in ``folder/results`` and publish it.

    With ``accept`` only the raw files that it accepts count, and an instrument may have none yet.
    Raises ``ConfigurationError`` for a wrong configuration and ``LockedError`` if another run holds the folder.
    """
    project = settings.open_project(folder)
    results = folder / RESULTS
    with storage.explained(results):
        _make_folder(results)
        return _bring_up_to_date(project, results, options, tell, version, accept)


def _bring_up_to_date(
    project: settings.Project,
    results: Path,
    options: Options,
    tell: Listener,
    version: str,
    accept: raw.Accept | None,
) -> Done:
    with lock.held(results) as taken_over, logs.written_to(results / "log"):
        if taken_over:
            log.warning("%s", taken_over)
        _set_old_layout_aside(results)
        index = Index(results)
        if not options.dry_run:
            index.compact()
        found = _find(project, results, accept)
        _write_frames(results, found)
        coordinator = run.settle(project, found, index, options, tell)
        if options.dry_run:
            integers = project.configuration.results.volume_type == "uint16"
            return Done(coordinator.report, (), needed(found, coordinator.report, options, integers=integers))
        _write_frames(results, found, coordinator.nodes.frames["pair"])
        index.compact()
        if not (options.publish and _due(coordinator, results)):
            return Done(coordinator.report, ())
        warnings = _warnings(found, coordinator.report)
        files = publish.publish(project.folder, project.configuration.experiment.title, version, warnings)
        return Done(coordinator.report, tuple(files))


def _due(coordinator: run.Coordinator, results: Path) -> bool:
    """Whether what is published may differ from the products."""
    return bool(coordinator.report.computed or coordinator.report.failures) or not (results / "store.zarr").exists()


def _make_folder(results: Path) -> None:
    (results / "volumes" / ".partial").mkdir(parents=True, exist_ok=True)


def _set_old_layout_aside(results: Path) -> None:
    found = layout_of(results)
    if found is None or found == LAYOUT:
        return
    aside = results.with_name(f"{results.name}.layout{found}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for item in results.iterdir():
        if item.name not in {"lock.json", "log"}:
            item.rename(aside / item.name)
    _make_folder(results)
    log.warning("%s has the older layout %s; it was set aside as %s and is computed anew", results, found, aside.name)


def _find(project: settings.Project, results: Path, accept: raw.Accept | None = None) -> raw.RawFiles:
    """The raw files; what was learnt of each is remembered by its identity."""
    path = results / MEMORY_FILE
    memory: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    before = dict(memory)
    found = raw.find(project.folder, project.configuration, memory, accept)
    if memory != before:
        codec.write_bytes(json.dumps(memory).encode(), path)
    if not found.frames and not found.failures:
        raise ConfigurationError(
            "operando.toml names no raw files; give [tomography], [diffraction] or [electrochemistry] files."
        )
    return found


def _write_frames(results: Path, found: raw.RawFiles, pairs: list[str] | None = None) -> None:
    path = results / FRAMES_FILE
    if pairs is None:
        pairs = json.loads(path.read_text()).get("pair", []) if path.exists() else []
    codec.write_bytes(json.dumps({**found.keys(), "pair": pairs}).encode(), path)


def _warnings(found: raw.RawFiles, report: Report) -> list[dict[str, str | None]]:
    failed = {failure.file for failure in report.failures}
    sound = raw.RawFiles(tuple(frame for frame in found.frames if frame.key not in failed), ())
    sentences = [(failure.file, failure.text) for failure in found.failures] + list(check_clocks(sound))
    told: list[dict[str, str | None]] = [{"file": None, "text": f"{text}."} for text in report.incidents]
    return told + [{"file": file, "text": text} for file, text in sentences]


@dataclass(frozen=True)
class Problem:
    """Something that `operando check` found; ``severe`` ones stop that file or the whole run."""

    file: str | None
    text: str
    severe: bool


def check(folder: Path) -> list[Problem]:
    """Read the configuration and every header; compute nothing."""
    project = settings.open_project(folder)
    found = raw.find(folder, project.configuration, {})
    problems = [Problem(failure.file, failure.text, severe=True) for failure in found.failures]
    for frame in found.frames:
        try:
            dataset = raw.open_frame(frame)
        except OperandoError as error:
            problems.append(Problem(frame.file, str(error), severe=True))
            continue
        problems += [
            Problem(frame.file, f"{frame.file}: {text}", severe=False) for text in dataset.attrs.get("warnings", ())
        ]
    readable = raw.RawFiles(
        tuple(frame for frame in found.frames if frame.file not in {p.file for p in problems if p.severe}), ()
    )
    _check_steps(project, readable)
    return problems + [Problem(file, text, severe=False) for file, text in check_clocks(readable)]


def _check_steps(project: settings.Project, found: raw.RawFiles) -> None:
    """Validate all parameters and names of materials."""
    from operando.pipeline.graph import plan
    from operando.pipeline.steps import known_steps

    settings.check_step_names(project, known_steps())
    for step in plan(known_steps(), {frame.product for frame in found.frames}).steps.values():
        settings.arguments(step, project)


def status(folder: Path) -> dict[str, Any]:
    """What is done, what is stale and why, what failed; computes nothing."""
    project = settings.open_project(folder)
    results = folder / RESULTS
    if not (results / "index.jsonl").exists():
        return {"done": {}, "stale": [], "failed": [], "text": "nothing has been run yet"}
    index = Index(results)
    found = _find(project, results)
    silent = Options(dry_run=True)
    coordinator = run.settle(project, found, index, silent, lambda event: None)
    done = Counter(node.step.name for node in coordinator.nodes if node.state == "done" and node.step.stored)
    failed = [{"step": e.step, "file": e.frame, "text": e.error} for e in index if e.error]
    failed += [{"step": "read", "file": f.file, "text": f.text} for f in found.failures]
    stale = [{"step": step, "file": frame, "why": why} for step, frame, why in coordinator.report.stale]
    return {"done": dict(done), "stale": stale, "failed": failed}
