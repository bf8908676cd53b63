"""Networks of one shape computed together: each layer of all of them is one operation, forward and backward.

No autograd stands between, so that one small network gains too. Whatever is computed for several at once gives each
the bits that it would have alone, which are those of autograd. That holds for products of matrices that begin at
aligned places, for elementwise operations on whole vectors of the processor, and for sums over the rows; where it
would not, the networks take turns.

What goes through the layers is (networks, rows, features), and of a single network (rows, features).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from training.gradient import ALIGNED, aligned
from training.losses import ClassLoss, CrossEntropy, NumberLoss

_SMALL_PRODUCT = 400
"""Of fewer multiplications torch computes a batch of products otherwise than a single one."""
_ROUNDS_ALIKE = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Hardswish, nn.Softsign, nn.Hardtanh, nn.ReLU6, nn.Identity)
"""Activations that give a number the same bits wherever in a tensor it stands; of others torch computes what does not
fill a vector register in another way."""
_ACTIVATIONS = (*_ROUNDS_ALIKE, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.CELU, nn.Mish, nn.Softplus)
_TAKING_TURNS = (nn.LayerNorm, nn.RMSNorm, nn.PReLU)
_MEAN, _SUM = 1, 2
"""What torch's kernels call the reductions."""
_NONE = -100
"""What they call a target that does not count; there is none."""

_aten = torch.ops.aten

Part = tuple[Tensor, Tensor]
"""What went into a differentiable function, and what came out."""


def stack(count: int, shape: Sequence[int], like: Tensor) -> Tensor:
    """Tensors without values (count, *shape), each at an aligned place, of the type of `like` and on its device."""
    size = torch.Size(shape).numel()
    room = torch.empty(count, aligned(size), dtype=like.dtype, device=like.device)
    return room[:, :size].view(count, *shape)


def align(together: Tensor) -> Tensor:
    """Tensors (networks, rows, features), each brought to an aligned place."""
    if together.dim() == 2 or together.stride(0) % ALIGNED == 0:
        return together
    return stack(together.shape[0], together.shape[1:], together).copy_(together)


class Layer(Protocol):
    """A layer of all networks."""

    def forward(self, x: Tensor) -> Tensor:
        """What it gives for its inputs, in training; `x` may be overwritten."""
        ...

    def backward(self, slope: Tensor) -> Tensor:
        """From the loss's slope by its outputs that by its inputs; those by its weights are left at their `grad`."""
        ...


class Linear:
    """The affine layer of one network.

    Args:
        layer: its weights have a `grad`.
        first: whether nothing wants the slope by its inputs.
    """

    def __init__(self, layer: nn.Linear, first: bool) -> None:
        self._weight, self._weight_grad = _stacked([layer.weight])
        self._bias, self._bias_grad = _stacked([layer.bias])
        self._transposed = self._weight.t()
        self._first, self._x = first, self._weight

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        return torch.addmm(self._bias, x, self._transposed)

    def backward(self, slope: Tensor) -> Tensor:
        torch.sum(slope, 0, out=self._bias_grad)
        torch.mm(slope.t(), self._x, out=self._weight_grad)
        return slope if self._first else torch.mm(slope, self._weight)


class Linears:
    """The affine layers of several networks.

    Args:
        layers: one of each network; weights and gradients of all lie in one array, one network after the other.
        first: whether nothing wants the slope by their inputs.
    """

    def __init__(self, layers: Sequence[nn.Linear], first: bool) -> None:
        self._weight, self._weight_grad = _stacked([layer.weight for layer in layers])
        bias, self._bias_grad = _stacked([layer.bias for layer in layers])
        self._bias, self._transposed = bias.unsqueeze(1), self._weight.transpose(1, 2)
        self._outputs, self._weights = self._weight.shape[1], self._weight[0].numel()
        self._first, self._x = first, self._weight

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        y = stack(x.shape[0], (x.shape[1], self._outputs), x)
        if self._in_turn or self._outputs == 1:
            for bias, left, right, out in zip(self._bias, x, self._transposed, y, strict=True):
                torch.addmm(bias[0], left, right, out=out)
            return y
        return torch.baddbmm(self._bias, x, self._transposed, out=y)

    def backward(self, slope: Tensor) -> Tensor:
        torch.sum(slope, 1, out=self._bias_grad)
        multiply = _products if self._in_turn else torch.bmm
        multiply(slope.transpose(1, 2), self._x, out=self._weight_grad)
        if self._first:
            return slope
        return multiply(slope, self._weight, out=stack(slope.shape[0], self._x.shape[1:], slope))

    @property
    def _in_turn(self) -> bool:
        return self._x.shape[1] * self._weights < _SMALL_PRODUCT


class BatchNorms:
    """The batch norms of networks, each with the statistics of its own rows."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        self._momentum, self._eps, self._alone = cast("float", layers[0].momentum), layers[0].eps, len(layers) == 1
        self._weight, self._weight_grad = _stacked([layer.weight for layer in layers])
        self._bias, self._bias_grad = _stacked([layer.bias for layer in layers])
        mean, var, self._batches = (_joined(layers, name) for name in _RUNNING)
        self._running = mean.view(-1), var.view(-1)
        self._saved: tuple[Any, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        self._batches.add_(1)
        rows, weight, bias = self._side_by_side(x), self._weight.reshape(-1), self._bias.reshape(-1)
        y, mean, scale = torch.native_batch_norm(rows, weight, bias, *self._running, True, self._momentum, self._eps)
        self._saved = (rows, weight, *self._running, mean, scale)
        return self._apart(y, x)

    def backward(self, slope: Tensor) -> Tensor:
        by_input, by_weight, by_bias = _aten.native_batch_norm_backward(
            self._side_by_side(slope), *self._saved, True, self._eps, (True, True, True)
        )
        self._weight_grad.copy_(by_weight.view_as(self._weight_grad))
        self._bias_grad.copy_(by_bias.view_as(self._bias_grad))
        return self._apart(by_input, slope)

    def _side_by_side(self, x: Tensor) -> Tensor:
        """Rows (rows, networks times features), as if they were one network's."""
        return x if self._alone else x.transpose(0, 1).reshape(x.shape[1], -1)

    def _apart(self, rows: Tensor, like: Tensor) -> Tensor:
        if self._alone:
            return rows
        return stack(like.shape[0], like.shape[1:], like).copy_(
            rows.view(like.shape[1], like.shape[0], -1).transpose(0, 1)
        )


class Relus:
    """Rectifiers."""

    def __init__(self) -> None:
        self._y = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self._y = torch.relu_(x)
        return self._y

    def backward(self, slope: Tensor) -> Tensor:
        return _aten.threshold_backward.grad_input(slope, self._y, 0, grad_input=slope)


class Elementwise:
    """Activations without weights, by their own autograd."""

    def __init__(self, activation: nn.Module) -> None:
        self._activation = activation
        self._parts: list[Part] = []

    def forward(self, x: Tensor) -> Tensor:
        whole = x.dim() == 2 or isinstance(self._activation, _ROUNDS_ALIKE) or x[0].numel() % ALIGNED == 0
        self._parts = [_differentiable(self._activation, part) for part in ([x] if whole else x.split(1))]
        return _put_together([y.detach().clone() for _, y in self._parts])

    def backward(self, slope: Tensor) -> Tensor:
        slopes = [slope] if len(self._parts) == 1 else slope.split(1)
        return _put_together(
            [torch.autograd.grad(y, x, part)[0] for (x, y), part in zip(self._parts, slopes, strict=True)]
        )


class InTurn:
    """Layers that networks compute one after the other, by autograd."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self._layers = layers
        self._parts: list[Part] = []

    def forward(self, x: Tensor) -> Tensor:
        self._parts = [_differentiable(layer, part) for layer, part in zip(self._layers, self._each(x), strict=True)]
        return self._join([y.detach().clone() for _, y in self._parts])

    def backward(self, slope: Tensor) -> Tensor:
        slopes: list[Tensor] = []
        for layer, (x, y), part in zip(self._layers, self._parts, self._each(slope), strict=True):
            weights = list(layer.parameters())
            by_input, *by_weights = torch.autograd.grad(y, [x, *weights], part)
            slopes.append(by_input)
            for weight, by_weight in zip(weights, by_weights, strict=True):
                _grad(weight).copy_(by_weight)
        return self._join(slopes)

    def _each(self, x: Tensor) -> Sequence[Tensor]:
        return [x] if len(self._layers) == 1 else x.unbind()

    def _join(self, parts: list[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else align(torch.stack(parts))


class Dropouts:
    """Dropouts, each drawing from its own network's generator.

    Args:
        layers: one of each network; their probabilities may differ.
        generators: of each network.
    """

    def __init__(self, layers: Sequence[nn.Dropout], generators: Sequence[torch.Generator]) -> None:
        self._drawing = list(zip([layer.p for layer in layers], generators, strict=True))
        self._kept = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        self._kept = torch.empty_like(x) if len(self._drawing) == 1 else stack(x.shape[0], x.shape[1:], x)
        parts = [self._kept] if len(self._drawing) == 1 else self._kept.unbind()
        for (p, generator), kept in zip(self._drawing, parts, strict=True):
            kept.bernoulli_(1 - p, generator=generator).div_(1 - p)
        return align(x * self._kept)

    def backward(self, slope: Tensor) -> Tensor:
        return align(slope * self._kept)


class Network:
    """Networks of one shape.

    Args:
        models: plain sequences of layers, as `stackable` wants them, with a `grad` at each weight. Weights and
            gradients of all lie in one array, one network after the other.
        generators: what the dropout of each draws from.
    """

    def __init__(self, models: Sequence[nn.Sequential], generators: Sequence[torch.Generator]) -> None:
        self._layers = [
            _layer(layers, place == 0, generators) for place, layers in enumerate(zip(*models, strict=True))
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Scores of inputs, in training."""
        for layer in self._layers:
            x = layer.forward(x)
        return x

    def backward(self, slope: Tensor) -> None:
        """Leave the slope by each weight at its `grad`, from that by the scores."""
        for layer in reversed(self._layers):
            slope = layer.backward(slope)


def stackable(model: nn.Module) -> bool:
    """Whether a network can be one of several that are computed together."""
    known = (nn.Linear, nn.BatchNorm1d, nn.Dropout, *_ACTIVATIONS, *_TAKING_TURNS)
    if not isinstance(model, nn.Sequential) or any(type(layer) not in known for layer in model):
        return False
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm1d)]
    return (
        all(norm.affine and norm.track_running_stats and norm.momentum is not None for norm in norms)
        and all(layer.p > 0 for layer in model if isinstance(layer, nn.Dropout))
        and all("bias" in dict(layer.named_parameters()) for layer in model if isinstance(layer, nn.Linear))
    )


Slope = Callable[[Tensor, Tensor], tuple[Sequence[Tensor], Tensor]]
"""Takes scores and targets (networks, rows), of a single network (rows,); returns each network's loss () and its slope
by the scores."""


def loss_and_slope(losses: Sequence[ClassLoss | NumberLoss]) -> Slope:
    """What computes the losses of networks, each with its own."""
    plain = [type(loss) is CrossEntropy and loss.class_weights is None and not loss.label_smoothing for loss in losses]
    return _cross_entropy if all(plain) else lambda scores, targets: _in_turn(losses, scores, targets)


def _in_turn(
    losses: Sequence[ClassLoss | NumberLoss], scores: Tensor, targets: Tensor
) -> tuple[Sequence[Tensor], Tensor]:
    alone = len(losses) == 1
    pairs = [(scores, targets)] if alone else list(zip(scores.unbind(), targets.unbind(), strict=True))
    values: list[Tensor] = []
    slopes: list[Tensor] = []
    for loss, (said, wanted) in zip(losses, pairs, strict=True):
        x, value = _differentiable(lambda x, loss=loss, wanted=wanted: loss(x, wanted), said)
        values.append(value.detach())
        slopes.append(torch.autograd.grad(value, x)[0])
    return values, slopes[0] if alone else align(torch.stack(slopes))


def _cross_entropy(scores: Tensor, targets: Tensor) -> tuple[Sequence[Tensor], Tensor]:
    *networks, rows, classes = scores.shape
    likely, wanted = torch.log_softmax(scores.reshape(-1, classes), 1), targets.reshape(-1)
    if networks:
        # One by one: no other sum goes the way of this kernel's.
        pairs = zip(likely.view(scores.shape).unbind(), targets.unbind(), strict=True)
        values = [_aten.nll_loss_forward.default(part, right, None, _MEAN, _NONE)[0] for part, right in pairs]
    else:
        values = [_aten.nll_loss_forward.default(likely, wanted, None, _MEAN, _NONE)[0]]
    share = _share(rows, likely.dtype, likely.device)
    slope = _aten.nll_loss_backward.default(share, likely, wanted, None, _SUM, _NONE, share)
    slope = _aten._log_softmax_backward_data.default(slope, likely, 1, likely.dtype)  # noqa: SLF001 - autograd's own
    return values, align(slope.view(scores.shape))


@cache
def _share(rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A row's part () in the mean of so many."""
    return torch.ones((), dtype=dtype, device=device) / rows


_RUNNING = ("running_mean", "running_var", "num_batches_tracked")


def _layer(layers: Sequence[Any], first: bool, generators: Sequence[torch.Generator]) -> Layer:
    kind, alone = type(layers[0]), len(layers) == 1
    if kind is nn.Linear:
        return Linear(layers[0], first) if alone else Linears(layers, first)
    if kind is nn.BatchNorm1d and (alone or layers[0].num_features % ALIGNED == 0):
        return BatchNorms(layers)
    if kind is nn.Dropout:
        return Dropouts(layers, generators)
    if kind is nn.ReLU:
        return Relus()
    return Elementwise(layers[0]) if kind in _ACTIVATIONS else InTurn(layers)


def _stacked(weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Weights and gradients (networks, *shape) as views of the arrays that they lie in; of one, as they are."""
    return _view([weight.detach() for weight in weights]), _view([_grad(weight) for weight in weights])


def _view(parts: Sequence[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    step = parts[1].storage_offset() - parts[0].storage_offset()
    return parts[0].as_strided((len(parts), *parts[0].shape), (step, *parts[0].stride()))


def _grad(weight: Tensor) -> Tensor:
    return cast("Tensor", weight.grad)


def _joined(layers: Sequence[nn.Module], name: str) -> Tensor:
    """A buffer of all networks (networks, ...), of which each layer's own becomes a view; of one, as it is."""
    if len(layers) == 1:
        return getattr(layers[0], name)
    whole = torch.stack([getattr(layer, name) for layer in layers])
    for layer, part in zip(layers, whole.unbind(), strict=True):
        setattr(layer, name, part)
    return whole


def _products(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    for a, b, product in zip(left, right, out, strict=True):
        torch.mm(a, b, out=product)
    return out


def _differentiable(function: Callable[[Tensor], Tensor], x: Tensor) -> Part:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return x, function(x)


def _put_together(parts: Sequence[Tensor]) -> Tensor:
    """Parts (some networks, rows, features), one after the other."""
    return align(parts[0] if len(parts) == 1 else torch.cat(list(parts)))
