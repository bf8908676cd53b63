"""What keeps Anneal from running on this machine."""

from __future__ import annotations


class CannotStart(Exception):
    """Something about this machine is in the way; the message says what, and what to do about it."""


class KeepsDying(Exception):
    """A process ended again and again soon after it was started; the message holds the end of its log."""
