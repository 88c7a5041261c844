"""The page in a real browser: what a user does, and what must never happen."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_folder
import numpy as np
import pytest
import viewer_server
from PIL import Image
from viewer_server import SCANS, Running

playwright = pytest.importorskip("playwright.sync_api")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
VENDORED = Path(__file__).parent / "vendor"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


class Page:
    """A page of the viewer, with everything that went wrong in it."""

    def __init__(self, browser: Any, running: Running, size: tuple[int, int] = (1280, 720), link: str = "") -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda message: self._console(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url, running.port))
        self.page.goto(running.address + link)
        self.ready()

    def _console(self, kind: str, text: str) -> None:
        if kind == "error":
            self.problems.append(text)

    def _request(self, url: str, port: int) -> None:
        if not re.match(rf"(http://localhost:{port}/|blob:|data:)", url):
            self.problems.append(f"external request {url}")

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=true]", timeout=20_000)

    def text(self, selector: str) -> str:
        return str(self.page.eval_on_selector(selector, "element => element.value ?? element.textContent"))

    def until(self, selector: str, pattern: str, patience_ms: int = 8000) -> str:
        """Wait until the text of an element matches (a policy without eval forbids wait_for_function)."""
        for _ in range(patience_ms // 50):
            if re.search(pattern, self.text(selector)):
                return self.text(selector)
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{selector} says {self.text(selector)!r}, not {pattern!r}; {self.problems}")

    def pixels(self, selector: str) -> np.ndarray:
        text = self.page.eval_on_selector(selector, "canvas => canvas.toDataURL('image/png')")
        return np.array(Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2]))).convert("RGBA"))

    def close(self) -> None:
        self.context.close()
        assert self.problems == []


@pytest.fixture
def page(browser: Any, running: Running) -> Iterator[Page]:
    opened = Page(browser, running)
    yield opened
    opened.close()


def test_the_page_opens_with_every_panel_filled(page: Page):
    assert page.text("#title") == "Made-up InLi | Li10SnP2S12 | Li2S cell"
    for canvas in ("#slice-z", "#slice-y", "#slice-x", "#heatmap", "#spectrum canvas", "#cell canvas", "#curve canvas"):
        shown = page.pixels(canvas)
        assert len(np.unique(shown.reshape(-1, 4), axis=0)) > 20, canvas
    assert "token" not in page.page.url


def test_the_time_slider_moves_everything(page: Page):
    before = page.pixels("#slice-y"), page.text("#spectrum-name"), page.text("#curve-reading")
    slider = page.page.locator("#time")
    box = slider.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2, steps=6)
    page.page.mouse.up()
    page.until("#now", "scan 0 of 5")
    page.page.wait_for_timeout(400)
    assert not np.array_equal(before[0], page.pixels("#slice-y"))
    assert page.text("#spectrum-name") != before[1]
    assert page.text("#curve-reading") != before[2]


def test_a_click_on_the_voltage_goes_to_the_nearest_scan(page: Page):
    plot = page.page.locator("#cell .u-over").bounding_box()
    page.page.mouse.click(plot["x"] + 0.16 * plot["width"], plot["y"] + 30)
    page.until("#now", "scan 1 of 5")


def test_a_click_on_the_heat_map_goes_to_that_time(page: Page):
    box = page.page.locator("#heatmap").bounding_box()
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 4)
    page.until("#spectrum-name", "spectrum 0 ")
    page.until("#now", "scan 0 of 5")


def test_overlays_colour_the_slices_and_say_so(page: Page):
    plain = page.pixels("#slice-y")
    page.page.select_option("#overlay", "labels")
    page.until("#legend", "anode")
    page.page.wait_for_timeout(300)
    coloured = page.pixels("#slice-y").astype(int)
    assert (np.ptp(coloured[..., :3], axis=-1) > 40).mean() > (
        np.ptp(plain[..., :3].astype(int), axis=-1) > 40
    ).mean() + 0.1
    page.page.select_option("#overlay", "change")
    page.until("#legend", "gained.*since scan 0")
    page.page.select_option("#overlay", "trust")
    page.until("#legend", "not trusted")


def test_a_measured_length_is_true(page: Page):
    """Between two voxels' centres far apart; the volume is 80 voxels of 20 µm wide."""
    page.page.click("#measure")
    box = page.page.locator("#slice-z").bounding_box()
    scale = min(box["width"], box["height"]) / 1600
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.click(middle[0] - 400 * scale, middle[1])
    page.page.mouse.click(middle[0] + 400 * scale, middle[1] + 300 * scale)
    shown = page.until("#length", "µm")
    assert float(shown.split()[0]) == pytest.approx(np.hypot(800, 300), rel=0.01)


def test_pins_make_a_row_and_the_export_names_the_command(page: Page):
    page.page.keyboard.press("p")
    page.page.keyboard.press("Home")
    page.until("#now", "scan 0 of 5")
    page.page.keyboard.press("p")
    page.page.keyboard.press("2")
    page.until("#pins-command", re.escape("operando figure overview --set scans=0,4"))
    page.page.wait_for_selector("#pins figure:nth-child(2)")
    with page.page.expect_download() as download:
        page.page.click("#pins-export")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    page.page.keyboard.press("1")
    page.page.keyboard.press("e")
    assert "scans=0,4" in page.text("#export-command")
    for name, start in (("PNG of this view", b"\x89PNG"), ("SVG of the measured curve", b"<svg")):
        with page.page.expect_download() as download:
            page.page.click(f"text={name}")
        assert Path(download.value.path()).read_bytes().startswith(start)


def test_a_link_brings_the_same_view_back(page: Page, browser: Any, running: Running):
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("o")
    page.page.keyboard.press("c")
    page.page.select_option("#quantity", "Contact area")
    page.page.locator("#slice-z").focus()
    page.page.keyboard.press("Shift+ArrowRight")
    page.until("#now", "scan 3 of 5")
    page.page.wait_for_timeout(500)
    link = page.page.url.partition("#")[2]
    other = Page(browser, running, link=f"#{link}")
    other.page.wait_for_timeout(500)
    for selector in ("#now", "#overlay", "#colours", "#quantity"):
        assert other.text(selector) == page.text(selector)
    np.testing.assert_array_equal(other.pixels("#slice-x"), page.pixels("#slice-x"))
    other.close()


@pytest.mark.parametrize(
    "link", ["#scan=999", "#scan=x&cursor=[1]&window=7&pins=[99]", "#cursor=%22%3Cimg%3E%22&overlay=evil"]
)
def test_a_spoilt_link_still_opens(browser: Any, running: Running, link: str):
    opened = Page(browser, running, link=link)
    assert "of 5" in opened.text("#now")
    opened.close()


def test_the_keyboard_reaches_everything(page: Page):
    page.page.keyboard.press("Home")
    page.until("#now", "scan 0 of 5")
    page.page.keyboard.press("ArrowRight")
    page.until("#now", "scan 1 of 5")
    for key, view in (("2", "compare"), ("4", "quality"), ("5", "tables"), ("1", "linked")):
        page.page.keyboard.press(key)
        page.page.wait_for_selector(f"#view-{view}:not([hidden])")
    page.page.keyboard.press("?")
    assert page.page.locator("#dialog").is_visible()
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#dialog", state="hidden")
    before = page.page.eval_on_selector("html", "e => e.dataset.theme")
    focus = page.page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
    page.page.keyboard.press("t")
    after = page.page.eval_on_selector("html", "e => e.dataset.theme")
    assert {before, after} == {"light", "dark"}, f"the key did nothing while the focus was on {focus}"


def test_tables_and_quality_show_numbers(page: Page):
    page.page.keyboard.press("5")
    page.page.wait_for_selector("#table td")
    assert "In + Li" in page.text("#table")
    page.page.keyboard.press("4")
    page.page.wait_for_selector(".strip canvas")
    assert "Dead time" in page.text("#strips")


def test_the_volume_turns_in_three_dimensions(page: Page):
    page.page.keyboard.press("3")
    page.page.wait_for_selector("#space[data-scan='4']", timeout=30_000)
    page.until("#space-reading", "drag to turn")


def test_a_phone_sees_one_column(browser: Any, running: Running):
    opened = Page(browser, running, size=(390, 844))
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    widths = opened.page.eval_on_selector_all(".panel", "all => all.map(one => one.clientWidth)")
    assert min(widths) > 350
    opened.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, theme: str):
    source = (VENDORED / "axe.min.js").read_text()
    page.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    for key in ("1", "2", "4", "5"):
        page.page.keyboard.press(key)
        page.page.wait_for_timeout(300)
        page.page.evaluate(source)
        found = page.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [v for v in found["violations"] if v["impact"] in {"serious", "critical"}]
        named = [(v["id"], [node["html"][:90] for node in v["nodes"]]) for v in serious]
        assert named == []


def test_a_new_scan_arrives_without_reload_and_a_restart_is_survived(browser: Any, tmp_path: Path):
    made_up_folder.write(tmp_path, SCANS[:2])
    running, thread = viewer_server.start(tmp_path)
    opened = Page(browser, running)
    opened.page.evaluate("window.stays = true")
    assert "scan 1 of 2" in opened.text("#now")
    made_up_folder.write(tmp_path, SCANS[:3])
    opened.until("#now", "scan 2 of 3")
    viewer_server.stop(running, thread)
    opened.until("#live", "connection lost")
    made_up_folder.write(tmp_path, SCANS[:4])
    running, thread = viewer_server.start(tmp_path, running.port)
    opened.until("#now", "scan 3 of 4", 15_000)
    assert opened.page.evaluate("window.stays") is True
    state = {"state": "behind", "text": "behind: 3 scans wait", "alarms": ["Dead time: 0.5"]}
    (tmp_path / "results" / "live.json").write_text(json.dumps(state))
    opened.until("#live", "behind: 3 scans wait")
    viewer_server.stop(running, thread)
    opened.problems[:] = [one for one in opened.problems if "ERR_CONNECTION" not in one and "ERR_INCOMPLETE" not in one]
    opened.close()
