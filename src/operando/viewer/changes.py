"""Tell every open page at once that something is new: server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from operando.viewer.reader import Reader

LOOK_EVERY_S = 0.5
HEARTBEAT_S = 15.0
MOST_CLIENTS = 512


class Changes:
    """Looks at the results while pages are open, and passes on what changed."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.clients = 0
        self._closed = False
        self._news = asyncio.Event()
        self._live = ""
        self._looking: asyncio.Task[None] | None = None

    def close(self) -> None:
        """End all streams, so that the server can stop at once."""
        self._closed = True
        self._news.set()

    async def stream(self) -> AsyncIterator[str]:
        """Events for one page: ``revision`` with its number and ``live`` with the state of `operando watch`."""
        self.clients += 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            async for event in self._events():
                yield event
        finally:
            self.clients -= 1
            if self._looking is not None and not self.clients:
                self._looking.cancel()

    async def _events(self) -> AsyncIterator[str]:
        revision, live = -1, None
        while not self._closed:
            if revision != self.reader.revision:
                revision = self.reader.revision
                yield f"event: revision\ndata: {revision}\n\n"
            if live != self._live:
                live = self._live
                yield f"event: live\ndata: {live or 'null'}\n\n"
            try:
                await asyncio.wait_for(self._news.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield ": still here\n\n"

    async def _look(self) -> None:
        while not self._closed:
            changed = await run_in_threadpool(self.reader.refresh)
            state = await run_in_threadpool(self.reader.live)
            text = json.dumps(state) if state is not None else ""
            if changed or text != self._live:
                self._live = text
                self._news.set()
                self._news = asyncio.Event()
            await asyncio.sleep(LOOK_EVERY_S)
