"""The scan with all its rows at hand, for corrections that reach across the edges of a slab."""

from operando.model.products.raw import Scan
from operando.model.products.tomography import UNCUT, Uncut
from operando.model.step import step


@step(version=1, stored=False)
def uncut(scan: Scan) -> Uncut:
    """Hand on the frames, and lazily once more under rows that are never cut; nothing is read.

    Phase retrieval and the correction of a tilt need rows beyond their slab, how many depends on their parameters.
    """
    every = scan["counts"].variable.copy(deep=False)
    every.dims = ("frame", "line", "column")
    product = scan.assign(every_row=every)
    product.attrs = dict(scan.attrs)
    return UNCUT.check(product)
