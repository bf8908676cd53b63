"""Imported by the process that children are forked from: has loaded what they need, and ends at once when it shall.

Tearing down an interpreter with torch in it takes seconds, for which its children would outlive their worker.
"""

from __future__ import annotations

import atexit
import os

import training.warm
import worker.reader
import worker.trainer

__all__ = ["training", "worker"]

atexit.register(os._exit, 0)
