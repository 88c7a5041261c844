"""How long it takes from a slider's input to the painted slices and spectrum, in a real browser.

    python benchmarks/viewer.py            # a table: median and 90th percentile, ms
    python benchmarks/viewer.py --json

The series has 2016 × 2016 × 504 voxels a scan; of each plane file only the planes that are looked at hold data (the
rest are holes in the file, read like zeros), so that the benchmark needs no 2 GB a scan. Every measured step shows a
scan that the browser has not seen. Needs Chromium and playwright.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "viewer"))
SHAPE = (504, 2016, 2016)
SCANS = 12
ROUNDS = 4
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SERVER = """
import sys
from pathlib import Path
from operando.viewer import server
from operando.viewer.application import warm_up
from operando.viewer.reader import Reader
reader = Reader(Path(sys.argv[1]))
warm_up(reader)
listening = server.listen("127.0.0.1", None)
made, address = server.prepare(reader, listening, "127.0.0.1", "benchmark")
print(address, flush=True)
made.run(sockets=[listening])
"""

SCRUB = """
([number, kind]) => new Promise((resolve) => {
  const slider = document.getElementById("time");
  const observer = new PerformanceObserver((list) => {
    observer.disconnect();
    resolve(list.getEntries()[0].duration);
  });
  observer.observe({ type: "measure" });
  slider.value = number;
  slider.dispatchEvent(new Event(kind));
})
"""


def make_series(folder: Path) -> None:
    """A made-up experiment of small volumes, its planes replaced by large ones."""
    import made_up_folder

    results = made_up_folder.write(folder, list(range(SCANS)), small=False)
    from operando.pipeline import display

    target = results.path / display.FOLDER
    images = display.catalogue(results)["volume"]
    shutil.rmtree(target)
    names = []
    for scan, image in images.items():
        planes = (("z", 1), ("z", 2), ("y", 2), ("x", 2))
        large = display.Image(**{
            **vars(image),
            "shape": SHAPE,
            "spacing_um": (2.5,) * 3,
            "planes": planes,
            "key": f"large{scan}",
        })
        names.append(f"volume-{large.key}")
        write_planes(target / names[-1], large, seed=scan)
    (target / "catalogue.json").write_text(json.dumps(names))


def write_planes(folder: Path, image: object, seed: int) -> None:
    """Files with data in the middle planes only."""
    folder.mkdir(parents=True)
    (folder / "about.json").write_text(json.dumps(asdict(image)))
    random = np.random.default_rng(seed)
    for axis, factor in image.planes:
        count, shape = image.shape_at(factor)["zyx".index(axis)], image.plane_shape(axis, factor)
        with (folder / f"{axis}{factor}.u8").open("wb") as file:
            file.truncate(count * shape[0] * shape[1])
            for number in range(count // 2 - 2 * ROUNDS, count // 2 + 2 * ROUNDS):
                file.seek(number * shape[0] * shape[1])
                file.write(random.integers(0, 255, shape, np.uint8).tobytes())


def measure(address: str) -> dict[str, float]:
    """Milliseconds in the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(address)
        page.wait_for_selector("body[data-ready=true]")
        ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
        found: dict[str, list[float]] = {"input": [], "change": []}
        for _ in range(ROUNDS):
            for kind, times in found.items():
                page.evaluate("document.getElementById('slice-z').focus()")
                page.keyboard.press("PageDown")
                page.wait_for_timeout(300)
                for number in range(SCANS - 1):
                    times.append(page.evaluate(SCRUB, [number, kind]))
                    page.wait_for_timeout(30)
                page.keyboard.press("End")
                page.wait_for_timeout(300)
        browser.close()
    half, full = found["input"], found["change"]
    return {
        "ready_ms": ready,
        "half_median_ms": statistics.median(half),
        "half_90_ms": float(np.quantile(half, 0.9)),
        "full_median_ms": statistics.median(full),
        "full_90_ms": float(np.quantile(full, 0.9)),
    }


def main() -> None:
    """Make, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_series(Path(folder))
        command = [sys.executable, "-c", SERVER, folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            found = measure(server.stdout.readline().strip())
            status = Path(f"/proc/{server.pid}/status").read_text()
            found["server_peak_mb"] = int(status.partition("VmHWM:")[2].split()[0]) / 1024
            began = time.perf_counter()
            server.send_signal(2)
            server.wait(20)
            found["stop_s"] = time.perf_counter() - began
        finally:
            server.kill()
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            print(f"{name:16s} {value:8.1f}")


if __name__ == "__main__":
    main()
