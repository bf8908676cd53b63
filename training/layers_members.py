"""Layers of many networks that share most of their weights, one beside the other (Gorishniy et al. 2025)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.losses import ClassLoss, NumberLoss


class Members(nn.Module):
    """Shows every member of an ensemble the same rows: (rows, width) become (rows, members, width).

    Args:
        members: how many there are.
    """

    def __init__(self, members: int) -> None:
        super().__init__()
        self.members = members

    def forward(self, x: Tensor) -> Tensor:
        return x[:, None].expand(-1, self.members, -1)


class SharedLinear(nn.Module):
    """A linear layer that all members share, between scales of their own (Wen, Tran and Ba 2020, equation 5).

    From (rows, members, inputs) to (rows, members, outputs). All members begin alike but for the signs.

    Args:
        linear: the shared one (inputs to outputs), without a bias.
        members: how many share it.
        signs: whether the scales of the inputs begin as random signs, by which members differ from the start, or as 1.
    """

    def __init__(self, linear: nn.Linear, members: int, signs: bool) -> None:
        super().__init__()
        inputs, outputs = linear.in_features, linear.out_features
        begun = torch.randint(2, (members, inputs)) * 2.0 - 1.0 if signs else torch.ones(members, inputs)
        bound = inputs**-0.5
        self.before = nn.Parameter(begun)
        self.after = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound).repeat(members, 1))
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x * self.before) * self.after + self.bias


class OwnLinear(nn.Module):
    """A linear layer of each member's own, from (rows, members, inputs) to (rows, members, outputs).

    Args:
        members: how many there are.
        inputs: numbers that each reads.
        outputs: numbers that each writes.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return (x.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias


class MembersAsRows(nn.Module):
    """What all members answer (rows, members, outputs): in training each as a row, at test time their mean.

    The loss is then the mean over members that each learn by themselves, while what is judged is all of them together.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1) if self.training else x.mean(dim=1)


class MembersOfClasses(ClassLoss):
    """A loss of classes where a row may have several answers: scores (rows times members, outputs), classes (rows,)."""

    def __init__(self, loss: ClassLoss) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, scores: Tensor, classes: Tensor) -> Tensor:
        return self._loss(scores, _for_each_answer(scores, classes))

    def weigh(self, classes: Tensor) -> Tensor | int:
        return self._loss.weigh(classes)

    def predict(self, scores: Tensor) -> Tensor:
        return self._loss.predict(scores)


class MembersOfNumbers(NumberLoss):
    """A loss of numbers where a row may have several answers: scores (rows times members, outputs), numbers (rows,)."""

    def __init__(self, loss: NumberLoss) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, scores: Tensor, numbers: Tensor) -> Tensor:
        return self._loss(scores, _for_each_answer(scores, numbers))

    def predict(self, scores: Tensor) -> Tensor:
        return self._loss.predict(scores)


def _for_each_answer(scores: Tensor, targets: Tensor) -> Tensor:
    return targets.repeat_interleave(scores.shape[0] // targets.shape[0])
