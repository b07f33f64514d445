"""Errors that a user reads: what happened, where, and what to do."""

from __future__ import annotations


class GradoctorError(Exception):
    """A fault with a way out.

    Args:
        what: what is wrong and where, in one sentence.
        cure: what the user can do about it, in one sentence.
        exit_code: the exit code a command ends with.
    """

    def __init__(self, what: str, cure: str = "", *, exit_code: int = 2) -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.what} {self.cure}".strip()


class RunFileError(GradoctorError):
    """A run file that cannot be read or written: missing, not ours, cut short, newer, or taken."""


class UnknownRuleError(GradoctorError):
    """A rule code or name that is not in the ledger."""
