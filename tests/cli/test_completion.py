"""The shell completes commands and names, as docs/how-to/complete-commands.md says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPERANDO = str(Path(sys.executable).with_name("operando"))


def complete(words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    count = str(len(words.split(" ")) - 1)
    environment = {**os.environ, "_OPERANDO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    done = subprocess.run([OPERANDO], env=environment, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("operando rec", ["reconstruct"]),
        ("operando run --sch", ["--scheduler"]),
        ("operando run --only seg", ["segment"]),
        ("operando materials Li10", ["Li10SnP2S12"]),
    ],
)
def test_a_word_that_is_begun_is_completed(words: str, offered: list[str]) -> None:
    assert complete(words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    environment = {**os.environ, "_OPERANDO_COMPLETE": f"{shell}_source"}
    done = subprocess.run([OPERANDO], env=environment, capture_output=True, text=True, check=False)
    assert "_OPERANDO_COMPLETE" in done.stdout
