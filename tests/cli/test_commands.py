"""Each command as a user meets it: output, exit status, one sentence for each error."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def operando(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    command = [sys.executable, "-m", "operando", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_an_unknown_command_suggests_the_nearest() -> None:
    done = operando("recontruct")
    assert done.returncode == 2
    assert "did you mean 'reconstruct'?" in done.stderr


def test_a_folder_without_configuration_is_told_what_to_do(tmp_path: Path) -> None:
    done = operando("run", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "operando init" in done.stderr


def test_an_unknown_step_is_refused(tiny_raw: Path) -> None:
    done = operando("run", str(tiny_raw), "--force", "segmentt")
    assert done.returncode == 2
    assert "there is no step 'segmentt'" in done.stderr


def test_a_misspelt_parameter_of_a_step_is_refused_with_its_line(tiny_raw: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_raw, tmp_path / "e")
    text = (folder / "operando.toml").read_text()
    (folder / "operando.toml").write_text(text + "\n[steps.centre]\nrowz = 3\n")
    done = operando("check", str(folder))
    assert done.returncode == 2
    assert f"line {len(text.splitlines()) + 3}: unknown key 'steps.centre.rowz'" in done.stderr


def test_check_of_a_sound_experiment_says_so(tiny_raw: Path) -> None:
    done = operando("check", str(tiny_raw))
    assert done.returncode == 0
    assert "fits together" in done.stdout


def test_check_exits_3_where_a_file_is_faulty_but_the_rest_can_run(tiny_raw: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_raw, tmp_path / "e"))
    (folder / "raw" / "tomo" / "scan_0001.nxs").write_bytes(b"")
    done = operando("check", str(folder), "--json")
    assert done.returncode == 3
    problems = json.loads(done.stdout)["problems"]
    assert [p["file"] for p in problems if p["severe"]] == ["raw/tomo/scan_0001.nxs"]


def test_status_names_what_is_done_and_what_is_stale(tiny_done: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_done, tmp_path / "e", copy_function=shutil.copy2))
    done = json.loads(operando("status", str(folder), "--json").stdout)
    assert done["stale"] == []
    assert done["done"]["reconstruct"] == 4
    with (folder / "operando.toml").open("a") as file:
        file.write('\n[steps.reconstruct]\nfilter = "hann"\n')
    again = json.loads(operando("status", str(folder), "--json").stdout)
    assert "filter changed ramp → hann" in again["stale"][0]["why"]


def test_listings_are_json_too() -> None:
    for name, key in (("steps", "steps"), ("formats", "formats"), ("materials", "materials"), ("doctor", "findings")):
        done = operando(name, "--json")
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)[key]) >= 5


def test_init_writes_a_configuration_that_check_accepts(tiny_raw: Path, tmp_path: Path) -> None:
    done = operando("init", str(tmp_path / "new"), "--from", str(tiny_raw / "raw"))
    assert done.returncode == 0, done.stderr
    assert "name the phases" in done.stdout
    text = (tmp_path / "new" / "operando.toml").read_text()
    text = text.replace("# time_zone", "time_zone").replace("phases = []", 'phases = ["In"]')
    (tmp_path / "new" / "operando.toml").write_text(text)
    assert operando("check", str(tmp_path / "new")).returncode == 0
    again = operando("init", str(tmp_path / "new"), "--from", str(tiny_raw / "raw"))
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_reconstruct_alone_gives_a_volume_in_inverse_centimetres(tiny_raw: Path, tmp_path: Path) -> None:
    scan = str(tiny_raw / "raw" / "tomo" / "scan_0000.nxs")
    done = operando("reconstruct", scan, "-o", str(tmp_path / "v.h5"), "--rows", "20:28", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    truth = json.loads((tiny_raw / "truth" / "summary.json").read_text())["scans"][0]["centre_px"]
    assert said["unit"] == "1/cm"
    assert said["shape"][0] == 8
    assert abs(said["centre_px"]["value"] - truth) < 0.3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("reconstruct", "no.nxs", "-o", "v"), "no.nxs: there is no such file"),
        (("reconstruct", "SCAN", "-o", "v.docx"), "unknown ending '.docx'"),
        (("reconstruct", "SCAN", "-o", "v", "--rows", "9:3"), "are no rows"),
        (("diffraction", "SPECTRUM", "-o", "l", "--phases", "InLy"), "InLy"),
        (("diffraction", "SCAN", "-o", "l", "--phases", "In"), "no energy-dispersive spectrum"),
    ],
)
def test_wrong_input_is_one_sentence(words: tuple[str, ...], sentence: str, tiny_raw: Path, tmp_path: Path) -> None:
    places = {
        "SCAN": str(tiny_raw / "raw" / "tomo" / "scan_0000.nxs"),
        "SPECTRUM": str(tiny_raw / "raw" / "edd" / "spectrum_0000.med"),
    }
    done = operando(*(places.get(word, word) for word in words), cwd=tmp_path)
    assert done.returncode in {1, 2}
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
