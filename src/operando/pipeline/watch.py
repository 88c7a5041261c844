"""Follow a running experiment: take files as they become whole, bring the results up to date, say how it goes."""

import json
from pathlib import Path
from typing import Any

from operando.pipeline.store import RESULTS

STATE_FILE = "live.json"


def read_state(folder: Path) -> dict[str, Any] | None:
    """What the watch on ``folder`` last said of itself; ``None`` where none has run."""
    try:
        content: dict[str, Any] = json.loads((folder / RESULTS / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content
