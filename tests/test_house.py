"""The rules of the house are tests: layers, style, types, light help."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

HEAVY = (
    "numpy", "scipy", "xarray", "zarr", "dask", "distributed", "pydantic", "matplotlib", "SimpleITK", "numba",
    "h5py", "hdf5plugin", "skimage", "sklearn", "gemmi", "xraydb", "silx", "pybaselines", "pint",
    "starlette", "uvicorn",
)  # fmt: skip


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("ruff", "check", "src", "tests", "benchmarks"),
        ("ruff", "format", "--check", "src", "tests", "benchmarks"),
        ("mypy",),
        ("lint-imports",),
    ],
    ids=["style", "layout", "types", "imports"],
)
def test_the_rules_of_the_house_are_kept(words: tuple[str, ...]) -> None:
    done = _run(str(BIN / words[0]), *words[1:])
    assert done.returncode == 0, done.stdout + done.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom operando.cli import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = _run(sys.executable, "-c", program)
    assert done.stderr.strip() == "[]"
    assert "bring every result up to date" in done.stdout


def test_every_command_of_the_interface_has_help_with_an_example() -> None:
    from operando.cli import COMMANDS, cli

    for name in COMMANDS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None, name
        assert command.help
        assert "Example: operando" in (command.epilog or ""), name
        assert {"--json", "-q", "-v"} <= {opt for parameter in command.params for opt in parameter.opts}, name


def test_analysis_never_opens_the_truth() -> None:
    """Only the comparison of the demo may know of ``truth/``."""
    allowed = {"twin", "comparing.py"}
    for path in (ROOT / "src" / "operando").rglob("*.py"):
        if not allowed & set(path.relative_to(ROOT / "src" / "operando").parts):
            assert "truth/" not in path.read_text() or path.name in {"simulating.py"}, path


def test_no_file_is_a_god_module() -> None:
    for path in (ROOT / "src" / "operando").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
