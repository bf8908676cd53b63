"""Layers without numbers of their own, and those that torch lacks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """The sum of two ways from input to output (He et al. 2016).

    Args:
        body: the long way.
        shortcut: the short one; the identity where input and output have one shape.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)


class Transpose(nn.Module):
    """(rows, length, features) as (rows, features, length), or back."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class EachToken(nn.Module):
    """A layer of rows, at work on every token (rows, length, width) as if it were a row.

    Args:
        layer: from (rows, width) to (rows, width).
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(0, 1)).view_as(x)


class Outputs(nn.Module):
    """What a recurrent layer says at every step (rows, length, width), without its last state.

    Args:
        layer: one of torch's, which also returns the state.
    """

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.get_autocast_dtype("cpu") == torch.float16:
            # torch's LSTM of processors has no float16 on most of them, and does not look for another.
            with torch.autocast("cpu", enabled=False):
                return self.layer(x.float())[0]
        return self.layer(x)[0]


class LastStep(nn.Module):
    """What was said once everything was seen: the last step of (rows, length, width).

    Args:
        both_ways: whether the second half of the width was read backwards, and has seen everything at the first step.
    """

    def __init__(self, both_ways: bool) -> None:
        super().__init__()
        self.both_ways = both_ways

    def forward(self, x: Tensor) -> Tensor:
        if not self.both_ways:
            return x[:, -1]
        half = x.shape[2] // 2
        return torch.cat([x[:, -1, :half], x[:, 0, half:]], dim=1)


class MeanStep(nn.Module):
    """The mean over the steps of (rows, length, width)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)


class SelfAttention(nn.Module):
    """Every token asks all tokens and takes the mean of what they answer, weighted by how well they fit the question.

    Scaled dot-product attention of several heads (Vaswani et al. 2017, section 3.2), from (rows, length, width) to the
    same.

    Args:
        project: a linear layer to each token's question, key and answer, one behind the other (width to 3 width).
        combine: a linear layer of what all heads have found (width to width).
        heads: into how many parts the width is cut; each attends by itself.
        dropout: share of the weights that is set to 0 in training.
        causal: whether a token sees only those up to itself.
    """

    def __init__(
        self, project: nn.Module, combine: nn.Module, heads: int, dropout: float = 0.0, causal: bool = False
    ) -> None:
        super().__init__()
        self.project, self.combine = project, combine
        self.heads, self.dropout, self.causal = heads, dropout, causal

    def forward(self, x: Tensor) -> Tensor:
        asked, keys, answers = self.project(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        share = self.dropout if self.training else 0.0
        found = functional.scaled_dot_product_attention(asked, keys, answers, dropout_p=share, is_causal=self.causal)
        return self.combine(found.transpose(1, 2).flatten(2))


class LearnedPositions(nn.Module):
    """Adds to each token what was learned of its place.

    Args:
        length: tokens of a row.
        width: numbers of a token.
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Adds to each token the sines and cosines of its place at `width` / 2 wavelengths (Vaswani et al. 2017, 3.5).

    Args:
        length: tokens of a row.
        width: numbers of a token.
    """

    table: Tensor  # (length, width)

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        rates = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2) / width)  # (width / 2,), rounded up
        angles = torch.arange(length)[:, None] * rates
        waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
        self.register_buffer("table", waves, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


class ClassToken(nn.Module):
    """Puts a learned token before all others; what it has gathered at the end stands for the row.

    Args:
        width: numbers of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.weight.expand(x.shape[0], 1, -1), x], dim=1)


class FirstToken(nn.Module):
    """The first token of (rows, length, width)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]
