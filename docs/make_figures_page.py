"""Write docs/reference/figures.md from the catalogue; a test checks that they agree."""

from pathlib import Path

from operando.figures import catalogue

HERE = Path(__file__).resolve().parent / "reference"


def page() -> str:
    """The page: one row a figure."""
    rows = ["| name | shows | options |", "|---|---|---|"]
    for name in catalogue.names():
        options = ", ".join(f"`{key}={value!r}`" for key, value in catalogue.options(name).items()) or "none"
        rows.append(f"| `{name}` | {catalogue.describe(name)} | {options} |")
    head = "# Figures\n\nWhat `operando figure NAME` draws, with the options of `--set` and their defaults.\n\n"
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (HERE / "figures.md").write_text(page(), encoding="utf-8")
