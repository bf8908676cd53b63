"""Imported by the process that children are forked from: has loaded what they need, and ends at once when it shall.

Tearing down an interpreter with torch in it takes seconds, for which its children would outlive their worker.
"""

from __future__ import annotations

import atexit
import os
from importlib import import_module

for _module in ("training.warm", "worker.trainer", "worker.reader", "worker.server"):
    import_module(_module)
atexit.register(os._exit, 0)
