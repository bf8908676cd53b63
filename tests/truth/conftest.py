"""Runs to hold against what others have written."""

from tests.runs import make_run, one_thread  # noqa: F401 - fixtures
