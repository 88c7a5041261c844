"""Cavities keep their number while they grow, merge and fall apart."""

import numpy as np
import xarray as xr

from operando.morphology.cavities import CavitiesParameters, cavities


def _surface(number: np.ndarray, frame: int) -> xr.Dataset:
    axes = {name: 2.0 * np.arange(n) for name, n in zip(("y_map", "x_map"), number.shape, strict=True)}
    dims = ("y_map", "x_map")
    gap = np.where(number > 0, 5.0, 0.0)
    data = {"cavity": (dims, number), "gap": (dims, gap), "height": (dims, np.zeros(number.shape))}
    return xr.Dataset(data, coords=axes, attrs={"frame": frame})


def _strip(*pieces: tuple[int, int]) -> np.ndarray:
    """A map with one cavity for each range of columns."""
    number = np.zeros((6, 30), int)
    for n, (start, stop) in enumerate(pieces):
        number[1:5, start:stop] = n + 1
    return number


def test_growth_merger_and_split_keep_their_numbers() -> None:
    maps = [
        _strip(),
        _strip((2, 6)),
        _strip((14, 24), (2, 8)),
        _strip((2, 24)),
        _strip((2, 9), (12, 24)),
    ]
    found = cavities([_surface(m, 3 * i) for i, m in enumerate(maps)], CavitiesParameters(smallest_columns=4))
    assert found["scan"].values.tolist() == [0, 3, 6, 9, 12]
    assert found["born"].values.tolist() == [3, 6, 12]
    assert found["merged_into"].values.tolist() == [2, 0, 0]
    assert found["split_from"].values.tolist() == [0, 0, 2]
    assert found["area"].values[0].tolist() == [0, 64, 96, 0, 0]
    assert found["area"].values[1].tolist() == [0, 0, 160, 352, 192]
    assert found["volume"].values[1, 3] == 5 * 352
    assert found["thickness"].values.max() == 5


def test_specks_are_left_out_and_no_cavity_is_no_error() -> None:
    found = cavities([_surface(_strip((3, 5)), 0)], CavitiesParameters(smallest_columns=20))
    assert found.sizes["cavity"] == 0
