"""The layers that a network is written down with, one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from api_schemas.catalog.activations import Activation, Relu
from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.layers import Array, Layer, averaged, convolution, convolved, linear, residual, shown
from api_schemas.catalog.model_entry import Axes
from api_schemas.catalog.normalizations import BatchNorm, Normalization
from api_schemas.catalog.normalizations_weight import WeightNormalizationEntry

Units = Annotated[int, Ge(1), Le(16384)] | Literal["outputs"]
Reach = Annotated[int, Ge(1), Le(1024)]
Laid = tuple[list[Layer], Array]
"""Layers, and the axes of what leaves the last of them."""


class Unfit(Exception):
    """A layer has no place where it stands.

    Args:
        where: the field that is to be changed, as a relative JSON Pointer.
        message: what is wrong, what arrives there and what to write instead.
    """

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where, self.message = where, message


class LayerEntry(Entry):
    """One layer of the model `layers`, or a block of them.

    What arrives at a layer is a list of numbers, a sequence of channels x length, or an image of channels x height x
    width. Shapes follow from the data and need not be written down.
    """

    kind = "layers"

    def lay(self, arriving: Array, outputs: int) -> Laid:
        """Its layers for what arrives.

        Args:
            arriving: axes of a row: (features,), (channels, length) or (channels, height, width).
            outputs: what `"outputs"` stands for.

        Raises:
            Unfit: where it cannot take that.
        """
        raise NotImplementedError


def lay_all(entries: Sequence[LayerEntry], arriving: Array, outputs: int) -> Laid:
    """The layers of all entries, one after the other, as `LayerEntry.lay` does it."""
    layers: list[Layer] = []
    for place, entry in enumerate(entries):
        try:
            laid, arriving = entry.lay(arriving, outputs)
        except Unfit as unfit:
            raise Unfit(f"layers/{place}/{unfit.where}", unfit.message) from None
        layers += laid
    return layers, arriving


class PlainLayerEntry(LayerEntry):
    """One layer."""


class LinearLayer(PlainLayerEntry):
    """A linear layer of a list of numbers."""

    formula = "y = W x + b"
    pitfall = "A sequence or an image has to be made a list first: by flatten or global_average_pool."
    target = "torch.nn.Linear"
    name: Literal["linear"] = "linear"
    units: Units = "outputs"
    """How many numbers leave it; `"outputs"` for what the loss asks of the network, which the last one must give."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        if len(arriving) != 1:
            raise Unfit("name", f"linear takes a list of numbers, and {shown(arriving)} arrives; put flatten before it")
        units = _units(self.units, outputs)
        return [linear(arriving[0], units)], (units,)


class ConvolutionLayer(PlainLayerEntry):
    """A convolution."""

    axes: ClassVar[int]
    """How many axes it runs along."""

    channels: Units = 16
    """How many channels leave it; `"outputs"` for what the loss asks of the network."""
    kernel: Reach = 3
    """How many places of each axis it sees."""
    stride: Reach = 1
    """Step between two places."""
    padding: Annotated[int, Ge(0), Le(1024)] = 0
    """Zeros at each end of each axis; half the kernel keeps the size."""
    dilation: Reach = 1
    """Step between two places that it sees."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        entering, *size = _channels_first(self.name, arriving, self.axes)
        channels, knobs = _units(self.channels, outputs), (self.kernel, self.stride, self.padding, self.dilation)
        left = convolved(tuple(size), *knobs)
        _refuse_nothing(self.name, self.kernel, arriving, left)
        kernel, stride, padding, dilation = knobs
        return [convolution(entering, channels, kernel, tuple(size), stride, padding, dilation)], (channels, *left)


class Conv1dLayer(ConvolutionLayer):
    """A convolution along a sequence."""

    formula = "y_t = b + sum_k K_k x_(stride t + dilation k - padding)"
    pitfall = "Without padding every convolution makes the sequence shorter by kernel - 1."
    target = "torch.nn.Conv1d"
    axes = 1
    name: Literal["conv1d"] = "conv1d"


class Conv2dLayer(ConvolutionLayer):
    """A convolution over an image."""

    formula = "y_ij = b + sum_kl K_kl x_(stride i + dilation k - padding, stride j + dilation l - padding)"
    pitfall = "Without padding every convolution makes the image smaller by kernel - 1."
    target = "torch.nn.Conv2d"
    axes = 2
    name: Literal["conv2d"] = "conv2d"


class PoolLayer(PlainLayerEntry):
    """A layer that puts one number in the place of several neighbours, channel by channel."""

    pooling: ClassVar[str]
    """Torch's name of it, without the axes."""

    kernel: Reach = 2
    """How many neighbours of each axis it takes together."""
    stride: Reach | None = None
    """Step between two places; as far as the kernel where it is left out."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        _, *size = _channels_first(self.name, arriving)
        stride = self.stride or self.kernel
        left = convolved(tuple(size), self.kernel, stride, padding=0)
        _refuse_nothing(self.name, self.kernel, arriving, left)
        layer = Layer(f"torch.nn.{self.pooling}{len(size)}d", (self.kernel,), {"stride": stride})
        return [layer], (arriving[0], *left)


class MaxPoolLayer(PoolLayer):
    """The largest of several neighbours."""

    formula = "y = max x over kernel neighbours"
    pitfall = "What does not fill a kernel at the end of an axis is left out."
    target = "torch.nn.MaxPool2d"
    pooling = "MaxPool"
    name: Literal["max_pool"] = "max_pool"


class AveragePoolLayer(PoolLayer):
    """The mean of several neighbours."""

    formula = "y = mean x over kernel neighbours"
    pitfall = "What does not fill a kernel at the end of an axis is left out."
    target = "torch.nn.AvgPool2d"
    pooling = "AvgPool"
    name: Literal["average_pool"] = "average_pool"


class GlobalAveragePoolLayer(PlainLayerEntry):
    """The mean of each channel over all places: a list of as many numbers as there are channels."""

    formula = "y_c = mean x_c over all places"
    paper = "Lin, Chen and Yan 2014"
    pitfall = "Where something stood is lost."
    target = "torch.nn.AvgPool2d"
    name: Literal["global_average_pool"] = "global_average_pool"

    def lay(self, arriving: Array, outputs: int) -> Laid:
        channels, *size = _channels_first(self.name, arriving)
        return [averaged(tuple(size)), Layer("torch.nn.Flatten")], (channels,)


class FlattenLayer(PlainLayerEntry):
    """A sequence or an image as a list of numbers."""

    formula = "y = x, channel after channel"
    pitfall = "A linear layer behind it has a weight for every place: of large images that is most of the network."
    target = "torch.nn.Flatten"
    name: Literal["flatten"] = "flatten"

    def lay(self, arriving: Array, outputs: int) -> Laid:
        return [Layer("torch.nn.Flatten")], (math.prod(arriving),)


class UnflattenLayer(PlainLayerEntry):
    """A list of numbers as a sequence or an image."""

    formula = "y = x in axes of their own"
    pitfall = "Columns of a table become neighbours that they are not."
    target = "torch.nn.Unflatten"
    name: Literal["unflatten"] = "unflatten"
    shape: Axes = (1, 1)
    """[channels, length] or [channels, height, width]; their product is how many numbers arrive."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        if len(arriving) != 1:
            raise Unfit("name", f"unflatten takes a list of numbers, and {shown(arriving)} arrives; leave it out")
        if math.prod(self.shape) != arriving[0]:
            raise Unfit(
                "shape", f"{shown(self.shape)} has {math.prod(self.shape)} numbers, and {arriving[0]} arrive there"
            )
        return [Layer("torch.nn.Unflatten", (1, self.shape))], self.shape


class ActivationLayer(PlainLayerEntry):
    """An activation."""

    formula = "y = activation(x)"
    pitfall = "Two linear layers without one between them are one linear layer."
    name: Literal["activation"] = "activation"
    activation: Activation = Relu()
    """Which one."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        return [self.activation.layer()], arriving


class NormalizationLayer(PlainLayerEntry):
    """A normalization of what the layer before gives."""

    formula = "y = normalization(x)"
    pitfall = "In front of the last layer's scores, or behind them, it takes away what they are to say."
    name: Literal["normalization"] = "normalization"
    normalization: Normalization = BatchNorm()
    """Which one; those that act on weights are no layers."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        width, *size = arriving
        chosen, where = self.normalization, "normalization"
        if isinstance(chosen, WeightNormalizationEntry):
            raise Unfit(
                where, f"{chosen.name} acts on the weights of a layer and is none; use batch_norm or layer_norm"
            )
        unfit = chosen.unfit(width, math.prod(size))
        if unfit:
            raise Unfit(where, f"{unfit}; {shown(arriving)} arrives there")
        layer = chosen.layer(width, len(size))
        return [layer] if layer else [], arriving


class DropoutLayer(PlainLayerEntry):
    """Sets numbers to 0 by chance in training, so that no layer relies on a single one."""

    formula = "y = x / (1 - share) with probability 1 - share, else 0; at test time y = x"
    paper = "Srivastava et al. 2014"
    pitfall = "In front of a batch norm the variance in training is another one than at test time."
    target = "torch.nn.Dropout"
    name: Literal["dropout"] = "dropout"
    share: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Share of the numbers that is set to 0."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        return [Layer("torch.nn.Dropout", (self.share,))], arriving


class ResidualLayer(LayerEntry):
    """A block of layers whose result is added to what the block was given.

    Where the shapes differ a linear layer, or a convolution of a single place, carries the input past the block.
    """

    formula = "y = x + layers(x), or P x + layers(x) where the shapes differ"
    paper = "He et al. 2016"
    pitfall = "Without a normalization in the block the sum grows from block to block."
    target = "training.layers.Residual"
    name: Literal["residual"] = "residual"
    layers: Annotated[list[Annotated[PlainLayerEntry, OneOf(PlainLayerEntry)]], MinLen(1), MaxLen(50)] = [
        LinearLayer(units=64),
        ActivationLayer(),
    ]
    """What is in the block, in their order."""

    def lay(self, arriving: Array, outputs: int) -> Laid:
        body, leaving = lay_all(self.layers, arriving, outputs)
        return [residual(body, None if leaving == arriving else _projection(arriving, leaving))], leaving


def _projection(arriving: Array, leaving: Array) -> Layer:
    """What makes one shape of another with as few weights as can be.

    Raises:
        Unfit: where nothing does.
    """
    if len(arriving) == len(leaving) == 1:
        return linear(arriving[0], leaving[0])
    size, left = arriving[1:], leaving[1:]
    stride = -(-size[0] // left[0]) if size and left else 1
    if len(size) != len(left) or convolved(size, 1, stride, padding=0) != left:
        raise Unfit(
            "layers",
            f"{shown(leaving)} leaves the block and cannot be added to the {shown(arriving)} that arrives; keep the "
            "size by padding, or divide it by strides",
        )
    return convolution(arriving[0], leaving[0], 1, size, stride, padding=0)


def _units(units: int | str, outputs: int) -> int:
    return units if isinstance(units, int) else outputs


def _channels_first(name: str, arriving: Array, axes: int | None = None) -> Array:
    """What arrives, with as many axes as the layer runs along, or any."""
    if len(arriving) > 1 and axes in (None, len(arriving) - 1):
        return arriving
    wanted = {
        None: "a sequence or an image",
        1: "a sequence, channels x length",
        2: "an image, channels x height x width",
    }
    remedy = "; put unflatten before it" if len(arriving) == 1 else ""
    what = f"a list of {arriving[0]} numbers" if len(arriving) == 1 else shown(arriving)
    raise Unfit("name", f"{name} takes {wanted[axes]}, and {what} arrives{remedy}")


def _refuse_nothing(name: str, kernel: int, arriving: Array, left: Array) -> None:
    if min(left) < 1:
        raise Unfit(
            "kernel", f"a {name} of {kernel} leaves nothing of the {shown(arriving)} that arrives; use a smaller kernel"
        )
