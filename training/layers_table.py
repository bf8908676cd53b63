"""Layers that read the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Embeddings(nn.Module):
    """Puts learned numbers in the place of each code: rows (rows, width) become (rows, numbers + sum of all widths).

    The last code of a column, which is for categories that no row had, stands for zeros, and no row teaches it others.

    Args:
        width: columns of a row.
        categories: by the place of each column of codes, how many there are and how many numbers stand for one.
    """

    coded: Tensor  # (categories,)
    numbers: Tensor  # (numbers,)

    def __init__(self, width: int, categories: Mapping[int, tuple[int, int]]) -> None:
        super().__init__()
        self.register_buffer("coded", torch.tensor(list(categories)), persistent=False)
        numbers = [place for place in range(width) if place not in categories]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.long), persistent=False)
        self.tables = nn.ModuleList(
            nn.Embedding(values, size, padding_idx=values - 1) for values, size in categories.values()
        )

    def forward(self, x: Tensor) -> Tensor:
        codes = x[:, self.coded].long()
        learned = [table(codes[:, place]) for place, table in enumerate(self.tables)]
        return torch.cat([x[:, self.numbers], *learned], dim=1)


class FeatureTokens(nn.Module):
    """Makes a token of each column: rows (rows, width) become (rows, width, size) (Gorishniy et al. 2021, section 3.3).

    A number scales a vector of its column, a code chooses one, and each column adds a vector of its own. The tokens of
    numbers stand before those of codes. The last code of a column stands for zeros, as in `Embeddings`.

    Args:
        width: columns of a row.
        size: numbers of a token.
        categories: how many codes each column of them has, by its place.
    """

    coded: Tensor  # (categories,)
    numbers: Tensor  # (numbers,)

    def __init__(self, width: int, size: int, categories: Mapping[int, int]) -> None:
        super().__init__()
        numbers = [place for place in range(width) if place not in categories]
        self.register_buffer("coded", torch.tensor(list(categories), dtype=torch.long), persistent=False)
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.long), persistent=False)
        bound = size**-0.5
        self.weight = nn.Parameter(torch.empty(len(numbers), size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width, size).uniform_(-bound, bound))
        self.tables = nn.ModuleList(
            nn.Embedding(values, size, _weight=_known(values, size, bound), padding_idx=values - 1)
            for values in categories.values()
        )

    def forward(self, x: Tensor) -> Tensor:
        scaled = x[:, self.numbers, None] * self.weight
        codes = x[:, self.coded].long()
        chosen = [table(codes[:, [place]]) for place, table in enumerate(self.tables)]
        return torch.cat([scaled, *chosen], dim=1) + self.bias


def _known(values: int, size: int, bound: float) -> Tensor:
    """Uniform weights (values, size) within a bound, and zeros for the last."""
    weight = torch.empty(values, size).uniform_(-bound, bound)
    weight[-1] = 0.0
    return weight


class Gated(nn.Module):
    """One half of a token's numbers, each times what the other half makes of an activation (Shazeer 2020).

    Args:
        activation: of the second half.
    """

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        half, gate = x.chunk(2, dim=-1)
        return half * self.activation(gate)
