"""Imported by the process that children are forked from: has loaded and tried what they need, and ends at once.

Tearing down an interpreter with torch in it takes seconds, for which its children would outlive their worker.
"""

from __future__ import annotations

import atexit
import gc
import os
from importlib import import_module

from worker.rehearsal import rehearse
from worker.slots import has_gpu

for _module in ("training.warm", "worker.trainer", "worker.reader", "worker.server"):
    import_module(_module)
if not has_gpu():  # a process that has looked for one cannot be forked for trainers any more
    rehearse()
gc.collect()
gc.freeze()  # a child that collects garbage would copy every page that it looks at
atexit.register(os._exit, 0)
