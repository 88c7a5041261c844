"""The catalogue: light to import, complete, documented."""

import subprocess
import sys
import types
from pathlib import Path

import pytest
import xarray as xr

from operando.formats import catalogue
from operando.formats.catalogue import formats, identify
from operando.model.errors import BrokenFileError, ConfigurationError

HEAVY = (
    "h5py",
    "hdf5plugin",
    "tifffile",
    "silx",
    "polars",
    "galvani",
    "fastnda",
    "pint",
    "matplotlib",
    "numba",
    "zarr",
)
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "formats.md"


def test_listing_the_formats_imports_no_reader_of_files() -> None:
    code = (
        "import sys; from operando.formats.catalogue import formats; formats(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_every_kind_of_interface_is_there() -> None:
    names = {known.name for known in formats()}
    assert names >= {
        *("nxtomo", "data_exchange", "tiff_folder", "tiff_volume", "hdf5_volume"),
        *("aps_med", "amptek_mca", "spec_mca", "nexus_spectra", "ortec_spe", "canberra_cnf", "xy_counts", "xy_pattern"),
        *("bdf_csv", "biologic_mpt", "biologic_mpr", "neware", "gamry_dta", "plain_csv"),
    }


def test_the_reference_has_every_format() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for known in formats():
        assert f"| `{known.name}` |" in text, f"docs/reference/formats.md lacks {known.name}"


def test_only_fallbacks_come_last() -> None:
    order = [known.fallback for known in formats()]
    assert order == sorted(order)


def test_a_missing_file_and_an_empty_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        identify(tmp_path / "a.nxs")
    (tmp_path / "b.csv").touch()
    with pytest.raises(BrokenFileError, match="0 bytes"):
        identify(tmp_path / "b.csv")


def test_every_real_file_has_its_format(shared_data: Path) -> None:
    expected = {
        "tomography/*.h5": "data_exchange",
        "volumes/*.tif*": "tiff_volume",
        "diffraction/aps6bmb_MgO/*.med": "aps_med",
        "diffraction/sample.spe": "ortec_spe",
        "diffraction/sample.cnf": "canberra_cnf",
        "diffraction/*.mca": "spec_mca",
        "diffraction/*.dat": "spec_mca",
        "electrochemistry/*.mpr": "biologic_mpr",
        "electrochemistry/*.mpt": "biologic_mpt",
        "electrochemistry/*.csv": "bdf_csv",
        "electrochemistry/*.dta": "gamry_dta",
        "joint/perex/*.mpt": "biologic_mpt",
        "joint/perex/xas/*.txt": "xy_pattern",
        "joint/coincell8/*.xye": "xy_pattern",
        "joint/coincell8/*.ndax": "neware",
    }
    for pattern, name in expected.items():
        files = list(shared_data.glob(pattern))
        assert files, pattern
        assert {identify(path).name for path in files} == {name}


def test_another_package_may_bring_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(
        NAME="theirs",
        TITLE="a format of another package",
        KIND="pattern",
        EXTENSIONS=(".theirs",),
        sniff=lambda path, head: head.startswith(b"THEIRS"),
        read=lambda path, options: xr.Dataset(attrs={"path": str(path)}),
    )
    entry = types.SimpleNamespace(load=lambda: module)
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [entry] if group == "operando.formats" else [])
    catalogue.formats.cache_clear()
    try:
        path = tmp_path / "a.theirs"
        path.write_bytes(b"THEIRS 1 2 3\n1 2\n3 4\n")
        assert identify(path).name == "theirs"
        assert catalogue.open_raw(path).attrs["path"] == str(path)
    finally:
        catalogue.formats.cache_clear()
