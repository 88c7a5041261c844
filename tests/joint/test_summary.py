"""The object of summary.json, with any instrument missing."""

import itertools
import json

import jsonschema
import numpy as np
import pytest
from joint_parts import difference, exposures, filled, paper_curve, spectra_exposures

from operando.electrochemistry.cycles import cycles
from operando.joint.balance import balance
from operando.joint.conclusion import conclusion
from operando.joint.events import events
from operando.joint.pairs import pairs
from operando.joint.scan_timeline import scan_timeline
from operando.joint.spectrum_timeline import spectrum_timeline
from operando.joint.summary import read, summary, with_warnings
from operando.materials.catalogue import load
from operando.materials.reactions import candidates
from operando.model.products.diffraction import LATTICE, LINES, PHASE_SHARES, REFINED
from operando.model.products.morphology import PHASE_VOLUMES, TRACKS
from operando.model.products.tomography import CENTRES


def tomography(n=4):
    return {
        "centres": filled(
            CENTRES,
            coords={"scan": np.arange(n)},
            centre=np.full(n, 99.5),
            centre_std=np.full(n, 0.02),
            outlier=np.zeros(n, bool),
        ),
        "phase_volumes": [
            filled(
                PHASE_VOLUMES,
                coords={"phase": ("phase", np.array(["void", "anode"], object))},
                volume=np.array([1.0, 2.0]),
                volume_low=np.array([0.5, np.nan]),
                volume_high=np.array([1.5, 2.5]),
                untrusted_volume=3.0,
                untrusted_volume_low=2.0,
                untrusted_volume_high=4.0,
                untrusted_rows=np.array([[0, 12]]),
                attrs={"frame": k},
            )
            for k in range(n)
        ],
        "tracks": [
            filled(
                TRACKS,
                coords={"track": ("track", np.array(["protrusion"], object))},
                length=np.array([93.0]),
                length_low=np.array([90.0]),
                length_high=np.array([95.0]),
                position=np.zeros((1, 3)),
                attrs={"frame": k},
            )
            for k in range(n)
        ],
    }


def diffraction(n=3):
    lines = [
        filled(
LINES,            coords={
                "phase": ("line", np.array(["InLi"], object)),
                "h": ("line", [4]), "k": ("line", [2]), "l": ("line", [2]), "element": ("line", [0]),
            },
            d=np.array([1.386]), d_std=np.array([1e-4]), area=np.array([100.0]), area_std=np.array([5.0]),
            d_free=np.array([np.nan]), d_free_std=np.array([np.nan]),
            attrs={"frame": k},
        )
        for k in range(n)
    ]  # fmt: skip
    lattices = [
        filled(
            LATTICE,
            coords={"phase": ("phase", np.array(["In", "InLi"], object))},
            cell=np.array([[3.25, 3.25, 4.95], [6.79, 6.79, 6.79]]),
            cell_std=np.full((2, 3), 1e-3),
            presence=np.ones(2),
            deviance=1.0,
            attrs={"frame": k},
        )
        for k in range(n)
    ]
    return {"lines": lines, "lattices": lattices}


def everything(with_cell, with_scans, with_spectra):
    curve, protocol = paper_curve() if with_cell else (None, None)
    parts = {"title": "a test"}
    if with_cell:
        parts["cycles"] = cycles(curve, protocol, 0.4, 0.35, 1166.0)
    if with_scans:
        timeline = scan_timeline(curve, protocol, exposures([100.0, 20000.0, 21000.0, 24000.0], 90.0))
        chosen = pairs(protocol, timeline)
        reactions = candidates(load("InLi"), 70.0, "In + Li -> InLi")
        found = balance(
            chosen,
            timeline,
            [difference(1e6, 1e5, [int(chosen[name][0]) for name in ("from_scan", "to_scan")])],
            reactions=reactions,
            configured="In + Li -> InLi",
        )
        parts |= {"scan_timeline": timeline, "balance": found, **tomography()}
        parts["conclusion"] = conclusion(found, None, {"In": 10.6, "Li": 1.5}, 70.0)
        parts["events"] = events(scan_timeline=timeline, curve=curve, protocol=protocol)
    if with_spectra:
        timeline = spectrum_timeline(curve, protocol, spectra_exposures([100.0, 20000.0, 24000.0], 90.0))
        parts |= {"spectrum_timeline": timeline, **diffraction()}
    return parts


@pytest.mark.parametrize(("with_cell", "with_scans", "with_spectra"), list(itertools.product([True, False], repeat=3)))
def test_schema_accepts_any_set_of_instruments(with_cell, with_scans, with_spectra, summary_schema):
    found = read(summary(**everything(with_cell, with_scans, with_spectra)))
    jsonschema.validate(found, summary_schema)
    assert len(found["scans"]) == 4 * with_scans
    assert len(found["spectra"]) == 3 * with_spectra
    assert bool(found["cycles"]) == with_cell


def test_unknown_is_null_and_never_nan():
    found = read(summary(**everything(False, True, True)))
    scan = found["scans"][0]
    assert scan["charge_mAh"] is None
    assert scan["cycle"] is None
    assert scan["step"] is None
    assert scan["phase_volume_um3"]["anode"] is None
    assert scan["phase_volume_um3"]["void"]["value"] == 1.0
    assert scan["untrusted_rows"] == [[0, 12]]
    assert found["spectra"][0]["lines"][0]["d_free_angstrom"] is None


def test_lattice_names_each_edge_once():
    lattice = read(summary(**everything(True, False, True)))["spectra"][0]["lattice"]
    assert set(lattice["In"]) == {"a_angstrom", "c_angstrom"}
    assert set(lattice["InLi"]) == {"a_angstrom"}


def test_the_last_balance_is_first_to_last_scan():
    found = read(summary(**everything(True, True, False)))
    last = found["volume_balance"][-1]
    assert (last["step"], last["cycle"], last["from_scan"], last["to_scan"]) == ("all", None, 0, 3)
    assert all(entry["from_scan"] != entry["to_scan"] for entry in found["volume_balance"])


def test_a_scan_without_results_is_absent():
    parts = everything(True, True, False)
    for name in ("phase_volumes", "tracks"):
        parts[name] = [one for one in parts[name] if one.attrs["frame"] != 2]
    parts["centres"] = parts["centres"].isel(scan=[0, 1, 3])
    assert [scan["index"] for scan in read(summary(**parts))["scans"]] == [0, 1, 3]


def test_warnings_are_added_once(summary_schema):
    found = with_warnings(read(summary()), [("a.nxs", "broken."), (None, "odd."), {"file": "a.nxs", "text": "broken."}])
    assert found["warnings"] == [{"file": "a.nxs", "text": "broken."}, {"file": None, "text": "odd."}]
    jsonschema.validate(json.loads(json.dumps(found)), summary_schema)


def test_lattices_are_those_of_the_series_where_it_has_them():
    parts = everything(False, False, True)
    refined = REFINED.new(
        coords={"spectrum": np.array([0, 2]), "edge": ("edge", np.array(["In a", "In c", "InLi a"]), "text")},
        cell=np.array([[3.26, 4.96, 6.80], [3.27, np.nan, 6.81]]),
        cell_std=np.array([[1e-4, 1e-4, 1e-4], [1e-4, np.nan, 1e-4]]),
        change=np.zeros((2, 3)),
        change_std=np.zeros((2, 3)),
    )
    found = [one["lattice"] for one in read(summary(**parts, refined=refined))["spectra"]]
    assert [one["InLi"]["a_angstrom"]["value"] for one in found] == [6.80, 6.79, 6.81]
    assert [one["In"]["c_angstrom"]["value"] for one in found] == [4.96, 4.95, 4.95]


def phase_shares(values):
    """Shares of In and InLi of the volume, spectra 0 and 2; the electrolyte has none."""
    share = np.column_stack([values, 1.0 - np.array(values), np.full(len(values), np.nan)])
    return filled(
        PHASE_SHARES,
        coords={
            "spectrum": np.array([0, 2]),
            "phase": ("phase", np.array(["In", "InLi", "Li10SnP2S12"], object)),
        },
        attrs={"assumptions": ["No extinction."]},
        **{
            f"{kind}_share{end}": share + off
            for kind in ("volume", "mass")
            for end, off in (("", 0.0), ("_low", -0.1), ("_high", 0.1))
        },
    )


def test_shares_of_the_phases_stand_beside_the_lattices(summary_schema):
    found = read(summary(**everything(False, False, True), phase_shares=phase_shares([0.75, np.nan])))
    jsonschema.validate(found, summary_schema)
    first, between, last = found["spectra"]
    assert set(first["phase_shares"]) == {"In", "InLi"}
    assert first["phase_shares"]["InLi"]["volume"] == {"value": 0.25, "low": 0.15, "high": 0.35, "unit": "1"}
    assert "phase_shares" not in between
    assert last["phase_shares"]["In"] == {"volume": None, "mass": None}
    assert found["phase_share_assumptions"] == ["No extinction."]


def test_nothing_is_said_of_shares_that_are_not_known(summary_schema):
    found = read(summary(**everything(False, False, True), phase_shares=phase_shares([np.nan, np.nan])))
    jsonschema.validate(found, summary_schema)
    assert not any("phase_shares" in spectrum for spectrum in found["spectra"])
    assert "phase_share_assumptions" not in found
