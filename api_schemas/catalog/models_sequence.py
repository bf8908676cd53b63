"""Models that read a sequence step by step, or by convolutions that never look ahead."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from api_schemas.catalog.activations import Activation, Identity
from api_schemas.catalog.layers import (
    InputShape,
    Layer,
    convolution,
    dropout,
    residual,
    sequence_channels,
    sequence_steps,
)
from api_schemas.catalog.model_entry import ArrayEntry, DeepEntry
from api_schemas.catalog.models_image import Channels
from api_schemas.catalog.normalizations import Normalization, WeightNorm
from api_schemas.catalog.normalizations_weight import WeightNormalizationEntry
from api_schemas.errors import Fault


class SequenceEntry(DeepEntry, ArrayEntry):
    """A model of rows that are sequences."""

    pool: Literal["last", "mean"] = "last"
    """What the last layer sees: what is known at the last step, or the mean over all steps."""

    def _faults(self, shape: InputShape) -> list[Fault]:
        if shape.sequence is None:
            return [self._wrong_axes(shape.array or (), "sequences: [length], or [length, features]")]
        return self._unfit(*shape.sequence)

    def _unfit(self, length: int, features: int) -> list[Fault]:
        """What keeps it from being built for such sequences."""
        raise NotImplementedError

    def _pooled(self, *, both_ways: bool = False) -> Layer:
        """What makes one row of numbers of all steps."""
        return (
            Layer("training.layers.LastStep", (both_ways,))
            if self.pool == "last"
            else Layer("training.layers.MeanStep")
        )


class RecurrentEntry(SequenceEntry):
    """A network that reads a sequence step by step and keeps a state."""

    gates: ClassVar[int]
    """Matrices in one of its layers, for the input and as many for the state."""

    width: Annotated[int, Ge(1), Le(4096)] = 64
    """Numbers in the state of each layer, and direction."""
    layers: Annotated[int, Ge(1), Le(16)] = 1
    """How many follow each other; each reads what the one before says at every step."""
    bidirectional: bool = False
    """Whether each layer also reads from the end to the start, with a state of its own."""
    activation: Activation = Identity()
    """What bends what a layer says at each step before the next one reads it; the state within has its own."""

    def _unfit(self, length: int, features: int) -> list[Fault]:
        if isinstance(self.normalization, WeightNormalizationEntry):
            message = (
                f"{self.normalization.name} rewrites the one weight of a layer, and a recurrent one has several; use "
                "layer_norm"
            )
            return [Fault(pointer="/model/normalization", code="normalization_unfit", message=message)]
        return self._misfits([(self._said, 1)])

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        length, features = shape.sequence or (0, 0)
        normalized = self.normalization.of_tokens(self._said)
        layers = sequence_steps(length, features)
        for place in range(self.layers):
            layers.append(self._recurrent(self._said if place else features, length))
            layers += [normalized] if normalized else []
            layers += [] if isinstance(self.activation, Identity) else [self.activation.layer(axis=-1)]
            layers += dropout(self.dropout)
        return [*layers, self._pooled(both_ways=self.bidirectional), *self._ending(self._said, outputs)]

    @property
    def _said(self) -> int:
        """Numbers that a layer says at each step."""
        return self.width * (2 if self.bidirectional else 1)

    def _recurrent(self, inputs: int, length: int) -> Layer:
        rows = self.gates * self.width
        shapes = {"weight_ih_l0": (rows, inputs), "weight_hh_l0": (rows, self.width)}
        shapes |= {"bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
        if self.bidirectional:
            shapes |= {f"{name}_reverse": shape for name, shape in shapes.items()}
        knobs = {"batch_first": True, "bidirectional": self.bidirectional} | self._knobs()
        layer = Layer(self.target or "", (inputs, self.width), knobs, shapes, length)
        return Layer("training.layers.Outputs", (), {"layer": layer})

    def _knobs(self) -> dict[str, str]:
        """Further knobs of torch's layer."""
        return {}


class Rnn(RecurrentEntry):
    """Reads step by step: the new state is a linear layer of the input and the state before, bent.

    The simplest that remembers, and the one to see why the others are needed.
    """

    formula = "h_t = nonlinearity(W x_t + U h_(t-1) + b);  z = V h_last + c"
    paper = "Elman 1990"
    pitfall = (
        "Through 20 steps and more its gradient vanishes or explodes, so it learns nothing from far back: take an lstm "
        "or gru there, and clip the gradient."
    )
    target = "torch.nn.RNN"
    gates = 1
    name: Literal["rnn"] = "rnn"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """What bends the state."""

    def _knobs(self) -> dict[str, str]:
        return {"nonlinearity": self.nonlinearity}


class Lstm(RecurrentEntry):
    """Reads step by step; gates decide what it forgets, takes in and says, so that it remembers over long stretches."""

    formula = (
        "c_t = f c_(t-1) + i tanh(W x_t + U h_(t-1) + b),  h_t = o tanh(c_t);  f, i, o = sigmoid of layers like it;  "
        "z = V h_last + c"
    )
    paper = "Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000"
    pitfall = "One step waits for the one before, so long sequences are slow; some hundred steps back is its limit."
    target = "torch.nn.LSTM"
    gates = 4
    name: Literal["lstm"] = "lstm"


class Gru(RecurrentEntry):
    """An lstm with two gates instead of three and no second state: a quarter cheaper, and mostly as good."""

    formula = (
        "h_t = (1 - u) n + u h_(t-1),  n = tanh(W x_t + b + r (U h_(t-1) + c));  u, r = sigmoid of layers like it;  "
        "z = V h_last + d"
    )
    paper = "Cho et al. 2014"
    pitfall = "It cannot count as an lstm can: where exact numbers of steps matter it does worse."
    target = "torch.nn.GRU"
    gates = 3
    name: Literal["gru"] = "gru"


class Tcn(SequenceEntry):
    """Convolutions that look only back, each twice as far as the one before: a cnn in the place of an lstm.

    Blocks of two convolutions with normalization, activation and dropout, added to what the block was given. All steps
    are computed at once, so it is faster than what reads step by step.
    """

    formula = (
        "h = activation(h + g(h)) for each of channels,  g = dropout(activation(K * h)) twice, K over steps t, t - d, "
        "t - 2d, ...,  d = 1, 2, 4, ...;  z = W h_last + b"
    )
    paper = "Bai, Kolter and Koltun 2018"
    pitfall = "It sees 1 + 2 (kernel - 1) (2^blocks - 1) steps back and not one more: 61 with the defaults."
    name: Literal["tcn"] = "tcn"
    channels: Annotated[list[Channels], MinLen(1), MaxLen(16)] = [32, 32, 32, 32]
    """Channels of each block."""
    kernel: Annotated[int, Ge(2), Le(32)] = 3
    """How many steps a convolution looks at."""
    normalization: Normalization = WeightNorm()
    """What keeps each convolution's output at a steady size; the paper's is on the weights."""

    def _unfit(self, length: int, features: int) -> list[Fault]:
        return self._misfits((width, length) for width in self.channels)

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        length, features = shape.sequence or (0, 0)
        layers = sequence_channels(length, features)
        for place, (entering, width) in enumerate(itertools.pairwise([features, *self.channels])):
            body = [*self._causal(entering, width, length, 2**place), *self._causal(width, width, length, 2**place)]
            past = None if entering == width else convolution(entering, width, 1, (length,))
            layers += [residual(body, past), self.activation.layer()]
        turned = Layer("training.layers.Transpose")
        return [*layers, turned, self._pooled(), *self._ending(self.channels[-1], outputs)]

    def _causal(self, entering: int, width: int, length: int, dilation: int) -> list[Layer]:
        """A convolution over this step and those before it."""
        back = (self.kernel - 1) * dilation
        layer = convolution(entering, width, self.kernel, (length + back,), padding=0, dilation=dilation)
        normalized = self.normalization.layer(width, axes=1)
        return [
            Layer("torch.nn.ConstantPad1d", ((back, 0), 0.0)),
            self.normalization.wrap(layer),
            *([normalized] if normalized else []),
            self.activation.layer(),
            *dropout(self.dropout),
        ]
