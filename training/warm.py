"""Imported for its effect: loads what torch and scikit-learn load at their first use, seconds of it.

For the process that trainers are forked from. It only loads: no operation runs and no thread starts.
"""

from __future__ import annotations

from importlib import import_module

import torch

_MODULES = ("initializations", "losses", "normalizations", "optimizers")

import_module("sklearn.datasets")
for _module in _MODULES:
    import_module(f"training.{_module}")
torch.optim.SGD([torch.nn.Parameter(torch.empty(1))], lr=1.0)  # the first optimizer loads torch's compiler
