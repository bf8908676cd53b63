"""Error surfaces of two weights that one can look at, and the path that an optimizer takes on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from api_schemas.catalog.optimizers import OptimizerEntry
from training.optimization import Optimization

Point = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A function of two weights, and where one looks at it."""

    name: str
    value: Callable[[Tensor, Tensor], Tensor]
    """Heights (any shape) of x and y (the same shape)."""
    start: Point
    minimum: Point
    x: Point
    """Smallest and largest x shown."""
    y: Point
    """Smallest and largest y shown."""


def bowl(x: Tensor, y: Tensor) -> Tensor:
    """Long and narrow, a hundred times as steep along y as along x: x^2 / 2 + 50 y^2. One rate does not suit both."""
    return x.square() / 2 + 50 * y.square()


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """A bent valley with steep walls (Rosenbrock 1960): (1 - x)^2 + 100 (y - x^2)^2."""
    return (1 - x).square() + 100 * (y - x.square()).square()


SURFACES = (
    Surface("an elongated bowl", bowl, start=(-4.0, 0.6), minimum=(0.0, 0.0), x=(-4.6, 1.6), y=(-1.0, 1.0)),
    Surface("Rosenbrock's valley", rosenbrock, start=(-2.0, 2.0), minimum=(1.0, 1.0), x=(-2.4, 2.0), y=(-1.0, 3.4)),
)


def descend(entry: OptimizerEntry, surface: Surface, rate: float, steps: int) -> list[Point]:
    """The points that an optimizer reaches, its start among them, from the same state each time.

    In float64 where the optimizer can. The two weights are a matrix of one row, so that optimizers of matrices have
    something to do.

    Args:
        entry: the optimizer.
        surface: where it descends.
        rate: learning rate of every step.
        steps: how many to take; fewer where it leaves all bounds.
    """
    torch.manual_seed(0)
    dtype = torch.float32 if entry.innermost.float32_only else torch.float64
    row = torch.zeros(1, dtype=torch.int64)
    model = nn.Embedding(1, 2, sparse=entry.innermost.sparse_only, dtype=dtype)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([surface.start]))
    optimization = Optimization(entry, model)

    def closure() -> Tensor:
        optimization.gradient.clear()
        x, y = model(row)[0]
        height = surface.value(x, y)
        optimization.gradient.add(height)
        return height

    path = [surface.start]
    for _ in range(steps):
        optimization.schedule({"lr": rate / entry.rate})
        optimization.step(closure)
        with optimization.evaluating():
            x, y = model.weight[0].tolist()
        if not (math.isfinite(x) and math.isfinite(y) and max(abs(x), abs(y)) < 1e6):
            break
        path.append((x, y))
    return path
