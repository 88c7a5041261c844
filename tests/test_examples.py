"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import operando

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(operando.__path__, "operando.")
    if not module.name.endswith("__main__") and "render_solids" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
