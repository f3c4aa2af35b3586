"""The errors that end a command, each with the exit code that it ends with.

    TestcardError              5   an error of ours
    ├── UsageError             2   the command line or a file is wrong; nothing was sent
    ├── NotJudged              3   nothing useful answered, so there is no verdict
    ├── BudgetExhausted        4   the next request would spend more than was allowed
    └── RunFileError           2   a run directory that cannot be read

Each reads as one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations


class TestcardError(Exception):
    """Something went wrong in testcard itself."""

    __test__ = False  # pytest collects classes whose names start with Test
    exit_code = 5


class UsageError(TestcardError):
    """The command line or a file is wrong; nothing was sent."""

    exit_code = 2


class NotJudged(TestcardError):
    """The target gave no answer that a verdict could rest on."""

    exit_code = 3


class BudgetExhausted(TestcardError):
    """The next request would spend more than `--budget-images` or `--budget-usd` allows."""

    exit_code = 4


class RunFileError(UsageError):
    """A run directory is missing, damaged or of another version."""
