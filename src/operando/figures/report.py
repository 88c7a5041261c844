"""The report: one HTML file with everything inside, readable on a phone and printable."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from operando.figures import markup
from operando.figures.markup import Markup, element
from operando.figures.report_quality import quality
from operando.figures.report_results import balance, causes, events, figures_section, measured, results, short
from operando.figures.source import Source

METHOD = (
    "Sun, F. et al. Visualizing the morphological and compositional evolution of the interface of InLi-anode | "
    "thio-LISION electrolyte in an all-solid-state Li–S cell by in operando synchrotron X-ray tomography and energy "
    "dispersive diffraction. J. Mater. Chem. A 6, 22489 (2018)."
)
METHOD_DOI = "10.1039/c8ta08821g"


def html(source: Source, figures: Mapping[str, bytes], provenance: Mapping[str, Any]) -> str:
    """Write the report as one HTML document that loads nothing from anywhere.

    ``figures`` are PNG or SVG files by the figure's name, in the order they shall appear. ``provenance`` is what the
    run recorded (versions, parameters, digests), nested as it is.
    """
    summary = source.summary
    sections = [
        ("short", "In short", short(summary)),
        ("measured", "What was measured", measured(summary)),
        ("quality", "Quality", quality(source)),
        ("results", "Results", results(summary)),
        ("figures", "Figures", figures_section(figures)),
        ("balance", "Charge against volume", balance(source)),
        ("causes", "Why lines moved", causes(summary)),
        ("events", "Events", events(summary)),
        ("warnings", "Warnings", _warnings(summary)),
        ("provenance", "Provenance", markup.folded("Versions, parameters and digests", markup.definitions(provenance))),
        ("cite", "How to cite", _citation(summary)),
    ]
    shown = [(anchor, heading, content) for anchor, heading, content in sections if content]
    contents = element("nav", *(element("a", heading, href=f"#{anchor}") for anchor, heading, _ in shown))
    body = [element("h1", source.title), contents, *(markup.section(*part) for part in shown)]
    return _document(source.title, markup.joined(body))


def _document(title: str, body: Markup) -> str:
    css = (files("operando.figures") / "templates" / "report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\"/>\n"
        f"<title>{markup.text(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _warnings(summary: Mapping[str, Any]) -> Markup:
    """Warnings that differ only in numbers and files stand together, the first one open and the others folded."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for warning in summary.get("warnings", []):
        bare = str(warning["text"]).replace(str(warning.get("file") or "\0"), "")
        alike.setdefault(re.sub(r"[\d.,+−-]+", "#", bare), []).append(warning)
    if not alike:
        return element("p", "None.")
    return markup.items(_group(warnings) for warnings in alike.values())


def _group(warnings: Sequence[Mapping[str, Any]]) -> Markup:
    lines = list(dict.fromkeys(_sentence(warning) for warning in warnings))
    if len(lines) == 1:
        return lines[0]
    return markup.joined([lines[0], markup.folded(f"and {len(lines) - 1} more alike", markup.items(lines[1:]))])


def _sentence(warning: Mapping[str, Any]) -> Markup:
    """A warning behind the name of its file, unless it says it itself."""
    file, text = str(warning.get("file") or "").replace("|", " and "), str(warning["text"])
    return markup.text(text) if not file or file in text else element("span", element("code", file), f": {text}")


def _citation(summary: Mapping[str, Any]) -> Markup:
    version = str(summary.get("operando", ""))
    entry = (
        f"@software{{operando,\n  title = {{operando}},\n  version = {{{version}}},\n  license = {{BSD-3-Clause}}\n}}"
    )
    link = element("a", f"doi:{METHOD_DOI}", href=f"https://doi.org/{METHOD_DOI}")
    return markup.joined([
        element(
            "p",
            f"This report was made with operando {version} (BSD-3-Clause). Name the version in a paper, and ",
            "deposit operando.toml and summary.json with the data: they hold all that is needed to repeat it.",
        ),
        element("p", "The way of measuring follows: ", METHOD, " ", link),
        element("pre", entry),
    ])
