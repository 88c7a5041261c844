"""The same gesture in Bokeh: slider to painted slice and spectrum, for comparison with benchmarks/viewer.py.

    python -m venv peer && peer/bin/pip install bokeh
    python benchmarks/viewer_bokeh.py peer/bin/python

A Bokeh server answers the slider with a new 8-bit image (2016² and 1008²) and a new line of 900 points, the way its
documentation shows; the bytes lie in the server's memory already. Needs Chromium and playwright in the calling
environment. One slice, where benchmarks/viewer.py paints three.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
STEPS = 24

APPLICATION = """
import sys
import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure
from bokeh.server.server import Server

size = int(sys.argv[1])
random = np.random.default_rng(0)
images = [random.integers(0, 255, (size, size), np.uint8) for _ in range(8)]
spectra = random.random((8, 900))

def page(document):
    image = ColumnDataSource({"image": [images[0]]})
    line = ColumnDataSource({"x": np.arange(900), "y": spectra[0]})
    slider = Slider(start=0, end=1000, value=0, step=1, name="time")
    left, right = figure(width=500, height=500), figure(width=500, height=200)
    left.image("image", source=image, x=0, y=0, dw=1, dh=1, palette="Greys256")
    right.line("x", "y", source=line)

    def change(attribute, old, new):
        image.data = {"image": [images[new % 8]]}
        line.data = {"x": np.arange(900), "y": spectra[new % 8]}

    slider.on_change("value", change)
    image.name = "image"
    document.add_root(column(slider, left, right))
    document.add_root(image)

server = Server({"/": page}, port=0)
server.start()
print(server.port, flush=True)
server.run_until_shutdown()
"""

SCRUB = """
(number) => new Promise((resolve) => {
  const document_ = Bokeh.documents[0];
  const slider = document_.get_model_by_name("time"), image = document_.get_model_by_name("image");
  const start = performance.now();
  const done = () => {
    image.properties.data.change.disconnect(done);
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now() - start);
      port2.postMessage(null);
    });
  };
  image.properties.data.change.connect(done);
  slider.value = number;
})
"""


def measure(python: str, size: int) -> list[float]:
    """Milliseconds of every step."""
    from playwright.sync_api import sync_playwright

    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(APPLICATION)
        script.flush()
        server = subprocess.Popen([python, script.name, str(size)], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"http://localhost:{port}/")
                page.wait_for_selector(".bk-Figure")
                page.wait_for_timeout(2000)
                times = []
                for number in range(1, STEPS + 1):
                    times.append(page.evaluate(SCRUB, number))
                    page.wait_for_timeout(100)
                browser.close()
        finally:
            server.kill()
    return times


def main() -> None:
    """Print medians."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    found = {name: statistics.median(measure(python, size)) for name, size in (("half", 1008), ("full", 2016))}
    print(json.dumps({f"{name}_median_ms": round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    main()
