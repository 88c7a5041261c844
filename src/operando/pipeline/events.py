"""How a run is asked for, what it tells while it goes, and what it did."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from operando.pipeline.raw import Failure

PATIENCE_S = 120.0


@dataclass(frozen=True)
class Options:
    """How to run. A worker that is silent for ``patience_s`` is taken as hung.

    Without ``publish`` the products are made and nothing is derived from them: no summary, tables, store or planes.
    """

    workers: int | None = None
    scheduler: str | None = None
    memory_bytes: int | None = None
    force: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    dry_run: bool = False
    patience_s: float = PATIENCE_S
    publish: bool = True


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run, for progress and log."""

    kind: Literal["planned", "started", "finished", "failed"]
    step: str = ""
    frame: str = ""
    text: str = ""
    seconds: float = 0.0


Listener = Callable[[Event], None]


@dataclass
class Report:
    """What a run did; ``stale`` holds step, frame and why of everything that had to be computed.

    ``incidents``: what befell the workers without harm to the results.
    """

    computed: list[tuple[str, str]] = field(default_factory=list)
    reused: int = 0
    failures: list[Failure] = field(default_factory=list)
    stale: list[tuple[str, str, str]] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 done, 3 partly done."""
        return 3 if self.failures else 0
