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
