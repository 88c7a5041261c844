"""Tables over all scans: what is large stays on disk until it is asked for."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from operando.model.errors import OperandoError
from operando.pipeline import codec, nexus, publish, stacking
from operando.pipeline.expression import Many, Stored, evaluate


def height_maps(folder: Path, count: int) -> list[xr.Dataset]:
    """Small products with one large map each, as they lie on disk."""
    rng = np.random.default_rng(0)
    for number in range(count):
        product = xr.Dataset(
            {"height": (("y", "x"), rng.normal(size=(60, 50)), {"units": "um"}), "mean": ((), float(number))},
            coords={"y": np.arange(60.0)},
            attrs={"warnings": []},
        )
        codec.write(product, folder / f"{number}.npz")
    return [codec.open_lazily(folder / f"{number}.npz") for number in range(count)]


def on_disk(variable: xr.Variable) -> bool:
    return not variable._in_memory


def test_a_lazily_opened_product_is_the_same_but_for_where_its_maps_are(tmp_path: Path) -> None:
    (lazy,) = height_maps(tmp_path, 1)
    assert on_disk(lazy.variables["height"])
    assert not on_disk(lazy.variables["mean"])
    assert lazy.identical(codec.read(tmp_path / "0.npz"))
    assert lazy["height"][3, 10:12].values.shape == (2,)
    assert on_disk(lazy.variables["height"]), "looking at values does not keep them"


def test_a_product_that_went_away_is_named(tmp_path: Path) -> None:
    (lazy,) = height_maps(tmp_path, 1)
    (tmp_path / "0.npz").unlink()
    with pytest.raises(OperandoError, match=r"0\.npz: this result can't be read"):
        _ = lazy["height"].values


def test_a_series_is_read_frame_by_frame_and_holds_none(tmp_path: Path) -> None:
    written = height_maps(tmp_path, 3)
    items = tuple(Stored(tmp_path / f"{number}.npz", False, number, f"{number}.nxs") for number in range(3))
    series = evaluate(Many(items))
    assert len(series) == 3
    assert [one.attrs["file"] for one in series] == ["0.nxs", "1.nxs", "2.nxs"]
    assert all(one.equals(other) for one, other in zip(series, written, strict=True))
    assert [float(one["mean"]) for one in series[1:]] == [1.0, 2.0]
    (tmp_path / "1.npz").unlink()
    with pytest.raises(OperandoError, match=r"1\.npz: this result can't be read"):
        _ = series[1]


def test_large_tables_are_stacked_and_written_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    products = height_maps(tmp_path, 7)
    whole = stacking.stack([product.load() for product in height_maps(tmp_path, 7)], "scan", range(7))
    monkeypatch.setattr(stacking, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(nexus, "BLOCK_BYTES", 50_000)
    table = stacking.stack(products, "scan", range(7))
    assert on_disk(table.variables["height"])
    assert table.identical(whole)
    assert table["height"].isel(scan=slice(1, 6, 2), x=4).equals(whole["height"].isel(scan=slice(1, 6, 2), x=4))

    xr.Dataset().to_zarr(str(tmp_path / "store.zarr"), zarr_format=3, consolidated=False)
    publish._write_group(publish._storable(table), str(tmp_path / "store.zarr"), "interface")
    assert xr.open_zarr(str(tmp_path / "store.zarr"), group="interface", consolidated=False).identical(whole)

    with h5py.File(tmp_path / "results.nxs", "w") as file:
        nexus._write_variable(file, "height", table.variables["height"])
        assert np.array_equal(file["height"][()], whole["height"].values)
        assert file["height"].attrs["units"] == "um"
