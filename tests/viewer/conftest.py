"""A viewer that runs on the made-up experiment."""

from collections.abc import Iterator
from pathlib import Path

import made_up_folder
import pytest
import viewer_server


@pytest.fixture(scope="session")
def experiment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    made_up_folder.write(folder, viewer_server.SCANS)
    return folder


@pytest.fixture(scope="session")
def running(experiment_folder: Path) -> Iterator[viewer_server.Running]:
    found, thread = viewer_server.start(experiment_folder)
    yield found
    viewer_server.stop(found, thread)
