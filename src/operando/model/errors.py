"""Errors for people: one sentence that names the file, the value found and what to do."""

from pathlib import Path


class OperandoError(Exception):
    """Something failed; the message is the sentence shown to the user."""

    exit_status = 1


class ConfigurationError(OperandoError):
    """Wrong use or wrong configuration."""

    exit_status = 2


class UnknownFormatError(OperandoError):
    """No known format recognises the file."""


class BrokenFileError(OperandoError):
    """The file is of a known format but can't be used.

    >>> str(BrokenFileError("scan_7.nxs", "the file ends after 12 of 48 bytes", "copy it again"))
    'scan_7.nxs: the file ends after 12 of 48 bytes; copy it again.'
    """

    def __init__(self, file: str | Path, found: str, remedy: str) -> None:
        self.file, self.found, self.remedy = str(file), found, remedy
        super().__init__(f"{file}: {found}; {remedy}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Pickle with all three parts, since workers send errors across processes."""
        return type(self), (self.file, self.found, self.remedy)


class ContractError(OperandoError):
    """A dataset does not keep the contract of its product."""
