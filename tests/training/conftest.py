"""Runs to test."""

from tests.runs import make_run, one_thread  # noqa: F401 - fixtures
