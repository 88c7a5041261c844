"""The widget shows the same slices, asked of the kernel."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from operando.model.errors import OperandoError
from operando.pipeline import display
from operando.pipeline.store import Results
from operando.viewer import notebook
from operando.viewer.reader import Reader


def test_without_anywidget_the_remedy_is_named(experiment_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(OperandoError, match=r"operando\[notebook\]"):
        notebook.show(experiment_folder)


def test_the_widget_answers_with_planes(experiment_folder: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("anywidget")
    widget = notebook.show(experiment_folder)
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(type(widget), "send", lambda self, content, buffers=None: sent.append((content, buffers)))
    widget._answer(widget, {"id": 7, "part": ["volume", 2, "y", 1, 40]}, [])
    image = display.catalogue(Results(experiment_folder))["volume"][2]
    assert sent == [({"id": 7}, [display.read_plane(Results(experiment_folder), image, "y", 1, 40)])]
    assert json.dumps(widget.overview)


@pytest.mark.parametrize("part", [("volume", 99, "z", 1, 0), ("volume", 0, "z", 1, 9999), ("../x", 0, "z", 1, 0)])
def test_a_question_for_nothing_gets_nothing(experiment_folder: Path, part: tuple[Any, ...]):
    assert notebook.plane(Reader(experiment_folder), *part) == b""


MODEL = """
async ([text, overview, planes]) => {
  const module = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  let listener = null;
  const model = {
    get: () => overview,
    on: (_, act) => { listener = act; },
    send: ({ id, part }) => setTimeout(() => listener({ id }, [
      Uint8Array.from(atob(planes[part.join("/")]), (sign) => sign.charCodeAt(0)).buffer
    ])),
  };
  const el = document.createElement("div");
  document.body.append(el);
  module.default.render({ model, el });
  await new Promise((resolve) => setTimeout(resolve, 500));
  return [...el.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(data).size;
  });
}
"""


@pytest.mark.browser
def test_the_bundled_module_draws_three_slices(experiment_folder: Path, chromium: str):
    playwright = pytest.importorskip("playwright.sync_api")
    reader = Reader(experiment_folder)
    overview = notebook._texts(notebook.overview(reader))
    last = max(reader.images["volume"])
    parts = [("volume", last, axis, 1, number) for axis, number in (("z", 24), ("y", 40), ("x", 40))]
    planes = {"/".join(map(str, part)): base64.b64encode(notebook.plane(reader, *part)).decode() for part in parts}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        found = page.evaluate(MODEL, [notebook.bundle(), overview, planes])
        browser.close()
    assert len(found) == 3
    assert min(found) > 20
