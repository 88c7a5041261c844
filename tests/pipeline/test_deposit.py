"""What goes with the results into a repository: a description of every file, and what they were made from."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from operando.pipeline import deposit, present
from operando.pipeline.store import Results


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """What the description says of each thing."""
    graph = json.loads((folder / "results" / deposit.OWN).read_text(encoding="utf-8"))["@graph"]
    return {thing["@id"]: thing for thing in graph}


def test_every_file_is_described_as_it_is(tiny_done: Path) -> None:
    found = described(tiny_done)
    files = {name: thing for name, thing in found.items() if thing["@type"] == "File"}
    for name, thing in files.items():
        content = (tiny_done / "results" / name).read_bytes()
        assert thing["sha256"] == hashlib.sha256(content).hexdigest(), name
        assert int(thing["contentSize"]) == len(content)
    tables = {f"tables/{path.name}" for path in (tiny_done / "results" / "tables").iterdir()}
    assert tables | {"summary.json", "results.nxs"} <= set(files)
    assert not deposit.BOOKKEEPING & set(files)
    assert {"store.zarr/", "volumes/"} <= set(found)


def test_the_description_keeps_the_rules_of_its_standard(tiny_done: Path) -> None:
    found = described(tiny_done)
    root, run = found["./"], found["#run"]
    assert found[deposit.OWN]["about"] == {"@id": "./"}
    assert root["name"] == Results(tiny_done).title
    assert root["datePublished"].startswith("20")
    assert all(part["@id"] in found for part in root["hasPart"])
    assert found[run["instrument"]["@id"]]["version"] == "0.1.0"


def test_a_figure_drawn_later_is_described_too(tiny_done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_done, folder)
    present.figure(folder, "s1", ("png",))
    assert {"figures/s1.png", "figures/s1.py"} <= set(described(folder))


def test_provenance_names_every_raw_file_and_the_digest_of_every_step(tiny_done: Path) -> None:
    results, found = Results(tiny_done), present.provenance(tiny_done)
    assert set(found["raw files"]) == {*results.keys("scan"), *results.keys("spectrum")}
    assert len(set(found["raw files"].values())) == len(found["raw files"])
    steps = {entry.step for entry in results.index}
    assert set(found["steps"]) == steps
    assert all(len(step["digest"]) == 32 and step["version"] >= 1 for step in found["steps"].values())
    assert found["steps"]["segment"]["parameters"]["params"]
    assert {"In", "InLi"} <= set(found["steps"]["fit"]["parameters"]["phases"]) <= set(found["materials"])
    assert all(material["sources"] for material in found["materials"].values())
