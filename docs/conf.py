"""Sphinx configuration; build with ``sphinx-build docs build/docs`` (extra ``docs``)."""

project = "operando"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["make_reference.py", "draw_simulation.py"]
html_theme = "alabaster"
myst_heading_anchors = 3
