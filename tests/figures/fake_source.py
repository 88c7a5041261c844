"""``Source`` over the made-up experiment, with any instrument left out."""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import made_up
import numpy as np
import xarray as xr

TOMOGRAPHY, DIFFRACTION, CYCLER = "tomography", "diffraction", "cycler"
ALL = frozenset({TOMOGRAPHY, DIFFRACTION, CYCLER})


class FakeSource:
    """The made-up experiment as seen by the instruments in ``have``; ``timed=False`` takes all clocks away."""

    title = "Made-up InLi | Li10SnP2S12 | Li2S cell"

    def __init__(self, have: frozenset[str] = ALL, timed: bool = True) -> None:
        self.have, self.timed = have, timed

    @cached_property
    def summary(self) -> dict[str, Any]:
        return made_up.summary(TOMOGRAPHY in self.have, DIFFRACTION in self.have, CYCLER in self.have)

    @cached_property
    def _scan(self) -> dict[str, Callable[[int], xr.Dataset]]:
        if TOMOGRAPHY not in self.have:
            return {}
        hours = made_up.scan_hours()
        return {
            "volume": lambda i: made_up.volume(hours[i], i),
            "labels": lambda i: made_up.labels(hours[i]),
            "interface": lambda i: made_up.interface(hours[i]),
            "phase_volumes": lambda i: made_up.phase_volumes(hours[i]),
            "tracks": lambda i: made_up.tracks(hours[i]),
            "trust": lambda i: made_up.trust(),
        }

    @cached_property
    def _spectrum(self) -> dict[str, Callable[[int], xr.Dataset]]:
        if DIFFRACTION not in self.have:
            return {}
        hours = made_up.spectrum_hours()
        return {
            "corrected": lambda i: made_up.corrected(hours[i], i),
            "lines": lambda i: made_up.lines(hours[i], i),
            "lattice": lambda i: made_up.lattice(hours[i], i),
            "subtracted": lambda i: made_up.subtracted(hours[i], i),
        }

    @cached_property
    def _whole(self) -> dict[str, xr.Dataset]:
        cell = CYCLER in self.have
        found: dict[str, xr.Dataset] = {}
        if cell:
            found |= {
                name: getattr(made_up, name)()
                for name in ("curve", "protocol", "cycles", "resistances", "conductivity", "derivatives")
            }
        if TOMOGRAPHY in self.have:
            found |= {name: getattr(made_up, name)() for name in ("motions", "centres", "pairs")}
            found["scan_timeline"] = made_up.scan_timeline(cell, self.timed)
        if DIFFRACTION in self.have:
            wing = ("calibration", "phase_presence", "refined", "drift", "response", "phase_shares", "factors")
            found |= {name: getattr(made_up, name)() for name in wing}
            found["strain_ellipse"] = made_up.strain_ellipse()
            if cell:
                found["area_per_charge"] = made_up.area_per_charge()
            found["spectrum_timeline"] = made_up.spectrum_timeline(cell, self.timed)
        if TOMOGRAPHY in self.have and cell:
            found |= {name: getattr(made_up, name)() for name in ("balance", "events", "contact", "clock_check")}
        return found

    def frames(self, product: str) -> list[int]:
        if product in self._scan:
            return list(range(made_up.scan_hours().size))
        if product in self._spectrum:
            return list(range(made_up.spectrum_hours().size))
        if product == "difference" and TOMOGRAPHY in self.have:
            return list(range(len(made_up.pair_rows())))
        if product == "impedance" and CYCLER in self.have:
            return [0]
        return []

    @cache  # noqa: B019 - sources live as long as the tests
    def product(self, name: str, frame: int) -> xr.Dataset | None:
        if frame not in self.frames(name):
            return None
        if name == "difference":
            return made_up.difference_product(frame)
        if name == "impedance":
            return made_up.impedance()
        return (self._scan | self._spectrum)[name](frame)

    @cache  # noqa: B019 - sources live as long as the tests
    def table(self, product: str) -> xr.Dataset | None:
        if product in self._whole:
            return self._whole[product]
        frames = self.frames(product)
        if not frames or product in {"volume", "labels", "corrected", "trust"}:
            return None
        dim = "scan" if product in self._scan else "pair" if product == "difference" else "spectrum"
        parts = [self.product(product, frame) for frame in frames]
        return xr.concat(parts, dim, coords="minimal", compat="override").assign_coords({dim: np.array(frames)})

    def volume(self, scan: int) -> xr.Dataset | None:
        return self.product("volume", scan)

    def labels(self, scan: int) -> xr.Dataset | None:
        return self.product("labels", scan)

    def corrected(self, spectrum: int) -> xr.Dataset | None:
        return self.product("corrected", spectrum)
