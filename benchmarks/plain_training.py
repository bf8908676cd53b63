"""A small training as one writes it for a pool, Celery or Ray: needs nothing but torch and scikit-learn."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

BATCH = 36
HIDDEN = [128, 128]
HELD_OUT = 360


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Rows (1797, 64) and classes (1797,), read once by a process."""
    x, y = load_digits(return_X_y=True)
    rows = torch.tensor(x, dtype=torch.float32)
    return (rows - rows.mean(0)) / (rows.std(0) + 1e-8), torch.tensor(y)


def train(seed: int, steps: int) -> list[float]:
    """Losses of an MLP 64-128-128-10, one a step, with Adam; at the end the loss of held-out rows."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = digits()
    widths = [x.shape[1], *HIDDEN]
    layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = [rows for _ in range(1 + steps * BATCH // len(x)) for rows in order(len(x) - HELD_OUT)]
    losses = torch.zeros(steps + 1)
    for step, rows in zip(range(steps), batches * 2, strict=False):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()
    with torch.no_grad():
        losses[steps] = functional.cross_entropy(model(x[-HELD_OUT:]), y[-HELD_OUT:])
    return losses.tolist()


def order(rows: int) -> tuple[Tensor, ...]:
    """The batches of an epoch."""
    return torch.randperm(rows).split(BATCH)
