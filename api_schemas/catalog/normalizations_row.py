"""Normalizations that look at one row alone, so that training and test are the same."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from api_schemas.catalog.layers import Layer
from api_schemas.catalog.normalization_entry import Epsilon, OutputNormalizationEntry


class LayerNorm(OutputNormalizationEntry):
    """Normalises each row by the mean and variance over its own features; the same in training and at test time.

    For small batches, and in transformers. With images it is over all channels and places of a row.
    """

    formula = "y = gamma (x - mean_row) / sqrt(var_row + eps) + beta"
    paper = "Ba, Kiros and Hinton 2016"
    pitfall = "Features of very different meaning share one scale; in convolutional networks batch norm mostly wins."
    target = "torch.nn.LayerNorm"
    reads_tokens = True

    name: Literal["layer_norm"] = "layer_norm"
    eps: Epsilon = 1e-5
    """Added to the variance."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        if axes:
            return Layer("torch.nn.GroupNorm", (1, width), self.knobs(), self.parameters(width))
        return super().layer(width)

    def unfit(self, width: int, places: int) -> str:
        return _alone(self.name) if width * places == 1 else ""


class RmsNorm(OutputNormalizationEntry):
    """Layer norm that does not centre: divides each row by its root mean square. Cheaper, and mostly as good.

    With images the mean is over all channels and places of a row.
    """

    formula = "y = gamma x / sqrt(mean_row(x^2) + eps)"
    paper = "Zhang and Sennrich 2019"
    pitfall = "A large mean that all features share stays, and drowns what differs between them."
    target = "torch.nn.RMSNorm"
    reads_tokens = True

    name: Literal["rms_norm"] = "rms_norm"
    eps: Epsilon = 1e-6
    """Added to the mean square."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        if axes:
            return Layer("training.normalizations.ChannelRmsNorm", (width,), self.knobs(), self.parameters(width))
        return super().layer(width)

    def parameters(self, width: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (width,)}

    def unfit(self, width: int, places: int) -> str:
        return _alone(self.name) if width * places == 1 else ""


class GroupNorm(OutputNormalizationEntry):
    """Normalises groups of features within each row: between layer norm (one group) and instance norm.

    For convolutional networks with small batches, where batch norm's statistics are noise.
    """

    formula = "y = gamma (x - mean_group) / sqrt(var_group + eps) + beta"
    paper = "Wu and He 2018"
    pitfall = "Groups of few numbers lose most of what they say; with large batches batch norm does a little better."
    target = "torch.nn.GroupNorm"

    name: Literal["group_norm"] = "group_norm"
    groups: Annotated[int, Ge(1), Le(16384)] = 8
    """How many groups; they must divide the width of every layer. The paper has 32 for hundreds of channels."""
    eps: Epsilon = 1e-5
    """Added to the variance."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        return Layer("torch.nn.GroupNorm", (self.groups, width), {"eps": self.eps}, self.parameters(width))

    def unfit(self, width: int, places: int) -> str:
        if width % self.groups:
            return f"{self.groups} groups do not divide a layer of width {width} evenly; set groups to a divisor of it"
        if width * places == self.groups:
            return f"{self.groups} groups of a layer of width {width} are single numbers, which become 0; use fewer"
        return ""


class InstanceNorm(OutputNormalizationEntry):
    """Normalises each channel of each image by itself, so that its contrast is gone. Comes from style transfer."""

    formula = "y = gamma (x - mean_channel) / sqrt(var_channel + eps) + beta, over the places of one image"
    paper = "Ulyanov, Vedaldi and Lempitsky 2016"
    pitfall = "How bright a channel is in this image, often what tells classes apart, is removed."
    target = "torch.nn.InstanceNorm2d"

    name: Literal["instance_norm"] = "instance_norm"
    eps: Epsilon = 1e-5
    """Added to the variance."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        target = f"torch.nn.InstanceNorm{max(axes, 1)}d"
        return Layer(target, (width,), {"eps": self.eps, "affine": True}, self.parameters(width))

    def unfit(self, width: int, places: int) -> str:
        if places == 1:
            return (
                "instance_norm normalises over the places of an image, and here a feature is a single number; use "
                "layer_norm or batch_norm"
            )
        return ""


class DynamicTanh(OutputNormalizationEntry):
    """A tanh with a learned slope instead of statistics: what layer norm does to transformers, at less cost."""

    formula = "y = gamma tanh(alpha x) + beta"
    paper = "Zhu et al. 2025"
    pitfall = "Made for transformers; outputs far from zero saturate, and elsewhere it rarely replaces batch norm."
    target = "training.normalizations.DynamicTanh"

    name: Literal["dynamic_tanh"] = "dynamic_tanh"
    alpha: Annotated[float, Gt(0), Le(100)] = 0.5
    """Where the slope starts; it is learned, one for the layer."""

    def parameters(self, width: int) -> dict[str, tuple[int, ...]]:
        return {"alpha": (1,)} | super().parameters(width)


def _alone(name: str) -> str:
    return f"{name} makes nothing of a layer of width 1: a number alone has no scale; make the layer wider"
