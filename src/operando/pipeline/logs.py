"""The log of a run: JSON lines in ``results/log``, one file a run."""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "from": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content)


class _File(logging.FileHandler):
    """On a full disk the log stops; the run itself says why."""

    def handleError(self, record: logging.LogRecord) -> None:
        self.setLevel(logging.CRITICAL + 1)


@contextmanager
def written_to(folder: Path) -> Iterator[Path]:
    """Write what the package logs to a new file in ``folder`` while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.jsonl"
    handler = _File(path, encoding="utf-8", delay=True)
    handler.setFormatter(_JsonLines())
    handler.setLevel(logging.INFO)
    logger = logging.getLogger("operando")
    before = logger.level
    logger.setLevel(min(before, logging.INFO) if before else logging.INFO)
    logger.addHandler(handler)
    try:
        yield path
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
