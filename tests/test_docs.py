"""The reference pages say what the code does; links lead somewhere; nothing speaks of one machine."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from operando.cli import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def _pages() -> dict:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


@pytest.mark.parametrize("name", ["commands.md", "configuration.md", "steps.md", "materials.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == _pages()[name](), f"run docs/make_reference.py: {name} is out of date"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_every_word_of_the_glossary_is_there_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows)) > 50


def _commands() -> list[tuple[str, str]]:
    """Every `$ operando ...` of the pages, with the page's name."""
    found = []
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]:
        lines = re.findall(r"^\s*\$ (operando .+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        found += [(page.relative_to(ROOT).as_posix(), line) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), _commands())
def test_commands_in_the_pages_can_be_typed(page: str, line: str) -> None:
    words = shlex.split(re.split(r"\s[|>&;]", line, maxsplit=1)[0], comments=True)[1:]
    if not words or words[0].startswith("-"):
        return
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"{page}: no command {words[0]}"
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}
    used = {word.split("=")[0] for word in words[1:] if word.startswith("-")}
    assert used <= known, f"{page}: {line}: {sorted(used - known)}"
