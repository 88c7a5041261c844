"""Where the real files are, and what must not be skipped.

``OPERANDO_DATA`` names the folder with other groups' real files (default: ``../shared/data`` beside the
project). ``OPERANDO_REQUIRE=data,browser`` turns a skip for a missing thing into a failure.
"""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

# A machine that does other work at the same time must not fail a claim about physics.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parent.parent
REQUIRED = {word for word in os.environ.get("OPERANDO_REQUIRE", "").split(",") if word}


def absent(thing: str, reason: str) -> None:
    """Skip, or fail where the thing is required."""
    if thing in REQUIRED:
        pytest.fail(f"{reason} (OPERANDO_REQUIRE asks for {thing})")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real files of other groups."""
    folder = Path(os.environ.get("OPERANDO_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        absent("data", f"no real data in {folder}; set OPERANDO_DATA")
    return folder


@pytest.fixture(scope="session")
def summary_schema() -> dict:
    """JSON Schema of summary.json, as shipped with the package."""
    import json

    return json.loads((ROOT / "docs" / "reference" / "summary.schema.json").read_text())


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for the tests in a real browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        absent("browser", "no Chromium on the PATH")
    return str(found)


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw files of the preset ``tiny``, as simulated; copy before changing anything."""
    from operando.twin.experiment import simulate

    folder = tmp_path_factory.mktemp("tiny")
    simulate("tiny", folder)
    return folder


@pytest.fixture(scope="session")
def tiny_done(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preset ``tiny``, simulated and run; don't change it."""
    from operando.pipeline import experiment
    from operando.pipeline.events import Options

    folder = tmp_path_factory.mktemp("done") / "tiny"
    shutil.copytree(tiny_raw, folder)
    experiment.bring_up_to_date(folder, Options(workers=0), lambda event: None, "0.1.0")
    return folder
