"""Sections of a page that several benchmarks write."""

from pathlib import Path


def put_section(page: Path, mark: str, text: str) -> None:
    """Replace what stands between two marks of a page; add it at the end where they are not there yet."""
    content = page.read_text(encoding="utf-8") if page.exists() else "# Reliability\n"
    before, _, rest = content.partition(mark)
    after = rest.partition(mark)[2].strip()
    parts = [before.rstrip(), f"{mark}\n{text}{mark}", *([after] if after else [])]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
