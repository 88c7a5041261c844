"""The questions that the page asks, and their answers. Everything is read; nothing is written."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from operando.model.errors import OperandoError
from operando.pipeline import display, quality
from operando.viewer import curves, nifti, overview, patterns
from operando.viewer.changes import MOST_CLIENTS, Changes
from operando.viewer.files import File, page_files
from operando.viewer.reader import Reader

FOR_EVER = "private, max-age=31536000, immutable"
FRESH = "no-store"
BINARY = "application/octet-stream"
AT_ONCE = 8
"""Planes that are in memory at the same time, however many clients ask."""
SLOWEST_S = 30.0


class NotThereError(Exception):
    """What was asked for does not exist."""


class Plane(Response):
    """Bytes that are read only when their turn has come, so that many clients don't fill the memory."""

    turn = asyncio.Semaphore(AT_ONCE)

    def __init__(self, read: Callable[[], bytes]) -> None:
        super().__init__(media_type=BINARY, headers={"cache-control": FOR_EVER})
        self.read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, read, send; a client that does not take its bytes loses its turn."""
        async with self.turn:
            self.body = await run_in_threadpool(self.read)
            self.headers["content-length"] = str(len(self.body))
            try:
                await asyncio.wait_for(super().__call__(scope, receive, send), SLOWEST_S)
            except TimeoutError:
                pass
            finally:
                self.body = b""


class Endpoints:
    """One method a question."""

    def __init__(self, reader: Reader, changes: Changes) -> None:
        self.reader, self.changes = reader, changes

    def experiment(self, request: Request) -> Response:
        """Scans, spectra, images, phases, events."""
        self.reader.refresh()
        return _json(overview.overview(self.reader))

    def summary(self, request: Request) -> Response:
        """The object of summary.json."""
        return _json(self.reader.results.summary)

    def curves(self, request: Request) -> Response:
        """Every measured quantity over time, with intervals."""
        return _json({"groups": curves.curves(self.reader)})

    def quality(self, request: Request) -> Response:
        """Figures of quality for every scan and spectrum, and what they say."""
        results, limits = self.reader.results, self.reader.limits
        found = self.reader.of_revision("quality", lambda: quality.assess(results, limits))
        more = self.reader.of_revision("notices", lambda: list(quality.notices(results, limits)))
        alarms = [*(strip.alarm for strip in found if strip.alarm), *more]
        return _json({"strips": [strip.as_json() for strip in found], "alarms": alarms})

    def quick_look(self, request: Request) -> Response:
        """The middle slice of the newest scan, before its volume is there."""
        return _packed(self.reader.quick_look())

    def cell(self, request: Request) -> Response:
        """Voltage and current."""
        return _packed(curves.cell(self.reader))

    def heat_map(self, request: Request) -> Response:
        """All spectra on one axis."""
        return _packed(patterns.heat_map(self.reader))

    def spectrum(self, request: Request) -> Response:
        """One spectrum with its fit."""
        number = int(request.path_params["number"])
        if number >= len(self.reader.results.keys("spectrum")):
            raise NotThereError
        return _packed(patterns.spectrum(self.reader, number))

    async def plane(self, request: Request) -> Response:
        """One plane of an image. The key in the path says of which, so the answer never changes."""
        image = self._image(request)
        axis, factor, number = request.path_params["axis"], request.path_params["factor"], request.path_params["number"]
        shape = image.shape_at(factor) if (axis, factor) in image.planes else (0, 0, 0)
        if not number < shape[display.AXES.index(axis)]:
            raise NotThereError
        return Plane(lambda: display.read_plane(self.reader.results, image, axis, factor, number))

    async def box(self, request: Request) -> Response:
        """The small copy of an image for three dimensions, as NIfTI-1."""
        image = self._image(request)
        return Plane(lambda: nifti.volume(image, *display.read_box(self.reader.results, image)))

    async def events(self, request: Request) -> Response:
        """What changes, as it changes."""
        if self.changes.clients >= MOST_CLIENTS:
            return Response("Too many pages are open.\n", 503, media_type="text/plain")
        return StreamingResponse(
            self.changes.stream(), media_type="text/event-stream", headers={"cache-control": FRESH}
        )

    def _image(self, request: Request) -> display.Image:
        wanted = request.path_params
        image = self.reader.images.get(wanted["image"], {}).get(wanted["scan"])
        if image is None or image.key != wanted["key"]:
            raise NotThereError
        return image


def warm_up(reader: Reader) -> None:
    """Work out what the page asks for first, so that it opens at once."""
    overview.overview(reader)
    curves.curves(reader)
    curves.cell(reader)
    patterns.heat_map(reader)
    if reader.results.frames("corrected"):
        patterns.spectrum(reader, reader.results.frames("corrected")[-1])


def create_application(reader: Reader, changes: Changes) -> Starlette:
    """The application without its guard."""
    asked = Endpoints(reader, changes)
    image = "{image:word}/{scan:count}/{key:word}"
    _register_convertors()
    routes = [
        Route("/api/experiment", asked.experiment),
        Route("/api/summary", asked.summary),
        Route("/api/curves", asked.curves),
        Route("/api/quality", asked.quality),
        Route("/api/quicklook", asked.quick_look),
        Route("/api/cell", asked.cell),
        Route("/api/heatmap", asked.heat_map),
        Route("/api/spectrum/{number:count}", asked.spectrum),
        Route(f"/api/plane/{image}/{{axis:axis}}/{{factor:count}}/{{number:count}}", asked.plane),
        Route(f"/api/box/{image}.nii", asked.box),
        Route("/api/events", asked.events),
        *(Route(path, _serve(file)) for path, file in page_files().items()),
    ]
    handlers: dict[Any, Any] = {NotThereError: _not_there, OperandoError: _in_words, OSError: _gone}
    return Starlette(routes=routes, exception_handlers=handlers)


def _register_convertors() -> None:
    """Path parameters are digits, words or one letter: nothing that could be a path."""
    from starlette.convertors import Convertor, register_url_convertor

    class Count(Convertor[int]):
        regex = "[0-9]{1,7}"

        def convert(self, value: str) -> int:
            return int(value)

        def to_string(self, value: int) -> str:
            return str(value)

    class Word(Convertor[str]):
        regex = "[0-9a-z]{1,40}"

        def convert(self, value: str) -> str:
            return value

        def to_string(self, value: str) -> str:
            return value

    class Axis(Word):
        regex = "[zyx]"

    for name, convertor in (("count", Count()), ("word", Word()), ("axis", Axis())):
        register_url_convertor(name, convertor)


def _serve(file: File) -> Callable[[Request], Response]:
    """A file of the page; the browser asks each time whether it is still the same."""

    def answer(request: Request) -> Response:
        headers = {"cache-control": "no-cache", "etag": f'"{file.tag}"'}
        if request.headers.get("if-none-match") == f'"{file.tag}"':
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers | {"content-type": file.type})

    return answer


def _json(content: Any) -> Response:
    return Response(
        json.dumps(content, allow_nan=False), media_type="application/json", headers={"cache-control": FRESH}
    )


def _packed(content: bytes | None) -> Response:
    """Packed numbers; nothing at all where this experiment has not measured it."""
    if content is None:
        return Response(status_code=204, headers={"cache-control": FRESH})
    return Response(content, media_type=BINARY, headers={"cache-control": FRESH})


async def _not_there(request: Request, error: Exception) -> Response:
    return Response("There is no such thing in these results.\n", 404, media_type="text/plain")


async def _in_words(request: Request, error: Exception) -> Response:
    """The sentence without the folder in front: the page need not know where it lies."""
    return Response(f"{str(error).rpartition('/')[2]}\n", 404, media_type="text/plain")


async def _gone(request: Request, error: Exception) -> Response:
    return Response("A run has just replaced this; ask again.\n", 410, media_type="text/plain")
