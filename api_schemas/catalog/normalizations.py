"""The normalizations inside a network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from pydantic import model_validator

from api_schemas.catalog.entry import Entry, OneOf
from api_schemas.catalog.layers import Layer

Momentum = Annotated[float, Gt(0), Le(1)]
Epsilon = Annotated[float, Gt(0), Le(1)]
Steps = Annotated[int, Ge(0), Le(10**9)]


class NormalizationEntry(Entry):
    """Keeps what the next layer sees at a steady size: rescales the outputs of a layer, or the layer's weight."""

    kind = "normalizations"
    batch_statistics: ClassVar[bool] = False
    """Whether training uses the statistics of the batch; such a one cannot take a batch of a single row."""
    divides_weight: ClassVar[bool] = False
    """Whether it divides a weight by its size, so that a weight of zeros is an error."""
    ignores_scale: ClassVar[bool] = False
    """Whether it undoes any factor that a weight is multiplied with."""

    def layer(self, width: int, spatial: bool) -> Layer | None:
        """What stands behind a layer; None where nothing does.

        Args:
            width: features of a row (rows, width), or channels of an image (rows, width, height, width).
            spatial: whether it is images.
        """
        return None

    def wrap(self, layer: Layer) -> Layer:
        """The layer itself, with its weight normalised where that is what this one does."""
        return layer

    def unfit(self, width: int, places: int) -> str:
        """Why it has no place behind a layer; empty where it has.

        Args:
            width: features or channels of the layer.
            places: height times width of an image; 1 where a feature is a single number.
        """
        return ""


class NoNormalization(NormalizationEntry):
    """Leaves the layer's outputs as they are."""

    formula = "y = x"
    pitfall = "Deep networks need a careful initialization and a small learning rate without any."
    name: Literal["none"] = "none"


class OutputNormalizationEntry(NormalizationEntry):
    """Rescales the outputs of a layer, then lets the network choose scale gamma and shift beta of each feature."""

    image_target: ClassVar[str] = ""
    """The target for images, where it is another one."""

    def layer(self, width: int, spatial: bool) -> Layer | None:
        call = self.call(width)
        target = self.image_target if spatial and self.image_target else call.target
        return Layer(target, call.args, call.kwargs, self.parameters(width))

    def parameters(self, width: int) -> dict[str, tuple[int, ...]]:
        """Shapes of gamma and beta, by torch's names."""
        return {"weight": (width,), "bias": (width,)}


class BatchNormEntry(OutputNormalizationEntry):
    """Normalises by the batch in training and by running statistics at test time."""

    batch_statistics = True

    momentum: Momentum = 0.1
    """PyTorch's convention: running = (1 - momentum) running + momentum batch. Where a text writes
    p old + (1 - p) new, this is 1 - p. The variance that enters is the unbiased one, over n - 1."""
    eps: Epsilon = 1e-5
    """Added to the variance, within the root. The variance that a batch is divided by is the biased one, over n."""


class BatchNorm(BatchNormEntry):
    """Normalises each feature by its mean and variance over the batch; at test time by running statistics.

    Makes the error surface rounder, so larger learning rates work. With images a channel's statistics are over all
    places too.
    """

    formula = "y = gamma (x - mean_batch) / sqrt(var_batch + eps) + beta; at test time with running mean and variance"
    paper = "Ioffe and Szegedy 2015"
    pitfall = (
        "With small batches the statistics are noise, and training and test disagree: under 16 rows a batch, group "
        "or layer norm is the better choice. The weight before it has no size of its own, so weight decay there only "
        "changes the effective learning rate."
    )
    target = "torch.nn.BatchNorm1d"
    image_target = "torch.nn.BatchNorm2d"

    name: Literal["batch_norm"] = "batch_norm"


class BatchRenorm(BatchNormEntry):
    """Batch norm that is corrected towards its running statistics, so that training and test see the same network.

    For small batches, or batches whose rows resemble each other. It begins as batch norm and relaxes in a straight
    line; the default steps are a fiftieth of the paper's (5,000, 40,000 and 25,000, for ImageNet).
    """

    formula = (
        "y = gamma ((x - mean_batch) / std_batch r + d) + beta,  r = clip(std_batch / std, 1 / r_max, r_max),  "
        "d = clip((mean_batch - mean) / std, -d_max, d_max), both without a gradient;  std = sqrt(var + eps)"
    )
    paper = "Ioffe 2017"
    pitfall = (
        "Relaxed too early, the running statistics are still those of the untrained network, and the loss jumps. The "
        "paper has momentum 0.01 for runs of a hundred thousand steps; a short run's statistics would not arrive."
    )
    target = "training.normalizations.BatchRenorm"

    name: Literal["batch_renorm"] = "batch_renorm"
    momentum: Momentum = 0.1
    """running = (1 - momentum) running + momentum batch, of the mean and of the standard deviation sqrt(var + eps),
    its variance over n."""
    r_max: Annotated[float, Ge(1), Le(1000)] = 3.0
    """How far the scale may be corrected, either way; 1 is batch norm."""
    d_max: Annotated[float, Ge(0), Le(1000)] = 5.0
    """How far the shift may be corrected, in standard deviations; 0 is batch norm."""
    warmup_steps: Steps = 100
    """Steps of plain batch norm at the start."""
    r_max_steps: Steps = 800
    """The step at which r_max is reached."""
    d_max_steps: Steps = 500
    """The step at which d_max is reached."""

    @model_validator(mode="after")
    def _relaxes_after_the_warmup(self) -> BatchRenorm:
        if min(self.r_max_steps, self.d_max_steps) < self.warmup_steps:
            raise ValueError("r_max_steps and d_max_steps cannot be before the end of warmup_steps")
        return self


class GhostBatchNorm(BatchNormEntry):
    """Batch norm over small parts of a large batch, each by its own statistics.

    The noise of small batches regularises; this keeps it where the batch is large for speed. The parts are even and
    have at least the asked number of rows; each one moves the running statistics.
    """

    formula = "y = batch_norm(x_1), ..., batch_norm(x_k) for the k = floor(rows / ghost_rows) parts of the batch"
    paper = "Hoffer, Hubara and Soudry 2017"
    pitfall = "With batches no larger than ghost_rows it is batch norm; with very small ghosts, its noise at its worst."
    target = "training.normalizations.GhostBatchNorm"

    name: Literal["ghost_batch_norm"] = "ghost_batch_norm"
    ghost_rows: Annotated[int, Ge(2), Le(1_000_000)] = 16
    """Rows of a part, at least."""


class SyncBatchNorm(BatchNormEntry):
    """Batch norm over the batches of all devices that train one job together; on one device it is batch norm."""

    formula = "y = gamma (x - mean_all) / sqrt(var_all + eps) + beta, over the batches of all devices"
    paper = "Ioffe and Szegedy 2015; Peng et al. 2018 (MegDet) across devices"
    pitfall = "Every step waits for all devices, twice a layer; with large batches on each, batch norm does as well."
    target = "training.normalizations.SyncBatchNorm"

    name: Literal["sync_batch_norm"] = "sync_batch_norm"


class LayerNorm(OutputNormalizationEntry):
    """Normalises each row by the mean and variance over its own features; the same in training and at test time.

    For small batches, and in transformers. With images it is over all channels and places of a row.
    """

    formula = "y = gamma (x - mean_row) / sqrt(var_row + eps) + beta"
    paper = "Ba, Kiros and Hinton 2016"
    pitfall = "Features of very different meaning share one scale; in convolutional networks batch norm mostly wins."
    target = "torch.nn.LayerNorm"

    name: Literal["layer_norm"] = "layer_norm"
    eps: Epsilon = 1e-5
    """Added to the variance."""

    def layer(self, width: int, spatial: bool) -> Layer | None:
        if spatial:
            return Layer("torch.nn.GroupNorm", (1, width), self.knobs(), self.parameters(width))
        return super().layer(width, spatial)

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
    image_target = "training.normalizations.ImageRmsNorm"

    name: Literal["rms_norm"] = "rms_norm"
    eps: Epsilon = 1e-6
    """Added to the mean square."""

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

    def layer(self, width: int, spatial: bool) -> Layer | None:
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

    def layer(self, width: int, spatial: bool) -> Layer | None:
        return Layer("torch.nn.InstanceNorm2d", (width,), {"eps": self.eps, "affine": True}, self.parameters(width))

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


class WeightNormalizationEntry(NormalizationEntry):
    """Normalises a layer's weight instead of its outputs, whatever the batch; where it stands makes no difference."""

    def wrap(self, layer: Layer) -> Layer:
        call = self.call(layer)
        parameters = {name: shape for name, shape in layer.parameters.items() if name != "weight"}
        parameters |= self.parameters(layer.parameters["weight"])
        return Layer(call.target, call.args, call.kwargs, parameters, layer.places)

    def parameters(self, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of what is learned instead of a weight of this shape, by torch's names."""
        return {"parametrizations.weight.original": weight}


class WeightNorm(WeightNormalizationEntry):
    """Learns length and direction of each output's weights apart."""

    formula = "w = g v / |v|"
    paper = "Salimans and Kingma 2016"
    pitfall = "Outputs keep whatever size the data gives them: it conditions the steps, and normalises nothing."
    target = "torch.nn.utils.parametrizations.weight_norm"
    divides_weight = True

    name: Literal["weight_norm"] = "weight_norm"

    def parameters(self, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        lengths = (weight[0], *(1 for _ in weight[1:]))
        return {"parametrizations.weight.original0": lengths, "parametrizations.weight.original1": weight}


class SpectralNorm(WeightNormalizationEntry):
    """Divides a weight by its largest singular value, so that the layer never lengthens a vector.

    Bounds how fast the network can change (its Lipschitz constant). Comes from generative adversarial networks.
    """

    formula = "w = v / sigma_max(v)"
    paper = "Miyato et al. 2018"
    pitfall = "The singular value is a running estimate; and a deep network that lengthens nothing fits slowly."
    target = "torch.nn.utils.parametrizations.spectral_norm"
    divides_weight = True
    ignores_scale = True

    name: Literal["spectral_norm"] = "spectral_norm"
    n_power_iterations: Annotated[int, Ge(1), Le(100)] = 1
    """How much better the estimate of the singular value becomes in each step."""
    eps: Annotated[float, Gt(0), Le(1)] = 1e-12
    """Least length that the estimate's vectors are divided by."""


class WeightStandardization(WeightNormalizationEntry):
    """Gives each output's weights mean 0 and variance 1 (scaled: 1 / fan-in, so that outputs keep their size)."""

    formula = "w = (v - mean(v)) / sqrt(var(v) + eps), over the weights of one output;  scaled: divided by sqrt(fan_in)"
    paper = "Qiao et al. 2019; Brock, De and Smith 2021 for the scaled form"
    pitfall = "Not scaled, outputs grow by the root of the fan-in at every layer, unless a group norm follows."
    target = "training.normalizations.weight_standardization"
    ignores_scale = True

    name: Literal["weight_standardization"] = "weight_standardization"
    scaled: bool = True
    """Whether the weights are divided by the root of how many inputs an output has."""
    eps: Epsilon = 1e-5
    """Added to the variance."""


def _alone(name: str) -> str:
    return f"{name} makes nothing of a layer of width 1: a number alone has no scale; make the layer wider"


Normalization = Annotated[NormalizationEntry, OneOf(NormalizationEntry)]
