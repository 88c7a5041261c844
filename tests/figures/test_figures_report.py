"""The report is one well-formed file that loads nothing and says everything."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_source import ALL, FakeSource

from operando.figures import catalogue, report
from operando.figures.saving import encoded

PROVENANCE = {
    "operando": "0.1.0",
    "steps": {"segment": {"version": 1, "parameters": {"blur_um": 2.0}, "digest": "0123456789abcdef0123"}},
    "packages": ["numpy 2.4.6", "xarray 2026.9.0"],
}


@pytest.fixture(scope="module")
def document() -> str:
    source = FakeSource()
    picture = encoded(catalogue.draw("overview", source), "png", dpi=60)
    return report.html(source, {"overview": picture}, PROVENANCE)


def test_report_is_well_formed(document: str) -> None:
    body = document.removeprefix("<!DOCTYPE html>")
    assert ElementTree.fromstring(body).tag == "html"


def test_report_loads_nothing_from_anywhere(document: str) -> None:
    loads: list[str] = []

    class Loads(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            loads.extend(
                v or "" for k, v in attrs if k in {"src", "srcset", "data", "poster"} or (tag == "link" and k == "href")
            )

    Loads().feed(document)
    assert loads
    assert all(load.startswith("data:") for load in loads)
    assert "<script" not in document
    style = re.search(r"<style>(.*?)</style>", document, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_report_holds_every_part(document: str) -> None:
    for anchor in (
        "short",
        "measured",
        "quality",
        "results",
        "figures",
        "balance",
        "causes",
        "events",
        "warnings",
        "provenance",
        "cite",
    ):
        assert f'<section id="{anchor}">' in document
    assert "0123456789abcdef0123" in document
    assert "&lt;check&gt;" in document


def test_numbers_of_the_report_are_those_of_the_summary(document: str) -> None:
    source = FakeSource()
    whole = source.summary["volume_balance"][-1]
    assert f"{whole['morphological_um3']['value'] / 1e6:.2f} × 10⁶ µm³</span>" in document


@pytest.mark.parametrize("missing", sorted(ALL))
def test_report_is_whole_without_an_instrument(missing: str) -> None:
    document = report.html(FakeSource(ALL - {missing}), {}, PROVENANCE)
    assert ElementTree.fromstring(document.removeprefix("<!DOCTYPE html>")).tag == "html"
    assert "nan" not in re.sub(r"<style>.*?</style>", "", document, flags=re.S).lower().split()


def test_report_of_nothing_says_so() -> None:
    assert "Nothing could be compared yet" in report.html(FakeSource(frozenset()), {}, {})


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_report_fits_the_screen_of_a_browser_that_is_offline(
    document: str, chromium: str, tmp_path: Path, width: int
) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "report.html"
    path.write_text(document, encoding="utf-8")
    requests: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        printed = page.pdf()
        browser.close()
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert printed.startswith(b"%PDF")
