"""Every contract by its name, without loading the rooms that make the products."""

import importlib
import pkgutil
from functools import cache

from operando.model import products
from operando.model.contract import Contract


@cache
def contracts() -> dict[str, Contract]:
    """The contracts of all wings."""
    modules = [
        importlib.import_module(f"{products.__name__}.{module.name}")
        for module in pkgutil.iter_modules(products.__path__)
        if module.name != "catalogue"
    ]
    found = (item for module in modules for item in vars(module).values() if isinstance(item, Contract))
    return {contract.name: contract for contract in found}
