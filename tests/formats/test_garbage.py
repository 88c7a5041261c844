"""Garbage never makes a text reader crash with anything but a sentence for people."""

import contextlib
from pathlib import Path

import format_files
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operando.formats.catalogue import HEAD_BYTES, Format, formats, identify, open_raw
from operando.model.errors import OperandoError, UnknownFormatError
from operando.model.reading import ReadOptions

SAMPLES = format_files.text_samples()
KNOWN = {known.name: known for known in formats()}
COLUMNS = {"time_s": "t", "voltage_V": "Ewe", "current_mA": "I"}
ALONE = ReadOptions(require_time=False, time_zone="UTC", columns=COLUMNS)
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def read_everything(known: Format, path: Path) -> None:
    for reader in (known.read, known.read_impedance):
        if reader is not None:
            with contextlib.suppress(OperandoError):
                reader(path, ALONE)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_recognised_as_what_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a{KNOWN[name].extensions[0]}"
    path.write_bytes(SAMPLES[name])
    assert identify(path).name == name
    open_raw(path, ALONE)


@pytest.mark.parametrize("name", SAMPLES)
@FUZZ
@given(data=st.data())
def test_damaged_files_end_in_a_sentence(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        kind = data.draw(st.sampled_from(["cut", "byte", "insert", "drop", "double"]))
        until = min(len(content), at + data.draw(st.integers(1, 30)))
        if kind == "cut":
            del content[at:]
        elif kind == "byte":
            content[at:until] = data.draw(st.binary(max_size=8))
        elif kind == "insert":
            content[at:at] = data.draw(st.text(max_size=20)).encode()
        elif kind == "drop":
            del content[at:until]
        else:
            content[at:at] = content[at:until]
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(content))
    read_everything(KNOWN[name], path)


@pytest.mark.parametrize("name", SAMPLES)
@FUZZ
@given(garbage=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_garbage_behind_a_true_beginning_ends_in_a_sentence(tmp_path: Path, name: str, garbage: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(SAMPLES[name][: SAMPLES[name].index(b"\n") + 1] + garbage)
    read_everything(KNOWN[name], path)


@FUZZ
@given(garbage=st.binary(min_size=1, max_size=300) | st.text(min_size=1, max_size=300).map(str.encode))
def test_no_sniff_crashes_and_unknown_files_are_called_unknown(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(garbage)
    for known in KNOWN.values():
        known.sniff(path, garbage[:HEAD_BYTES])
    with contextlib.suppress(OperandoError):
        open_raw(path, ALONE)


def test_an_unknown_file_names_the_formats_with_its_extension(tmp_path: Path) -> None:
    path = tmp_path / "a.med"
    path.write_bytes(b"\x00\x01nonsense")
    with pytest.raises(UnknownFormatError, match=r"a\.med.*aps_med"):
        identify(path)


def test_every_format_says_what_it_is() -> None:
    for known in formats():
        assert known.name.isidentifier()
        assert len(known.title) > 8
        assert all(extension.startswith(".") for extension in known.extensions)
