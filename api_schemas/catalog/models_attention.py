"""Models of tokens that attend to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le

from api_schemas.catalog.activations import Activation, Gelu
from api_schemas.catalog.layers import (
    InputShape,
    Layer,
    convolution,
    dropout,
    linear,
    residual,
    sequence_steps,
    shown,
)
from api_schemas.catalog.model_entry import ArrayEntry, DeepEntry, Share
from api_schemas.catalog.normalization_entry import NormalizationEntry
from api_schemas.catalog.normalizations import LayerNorm, Normalization
from api_schemas.errors import Fault


def self_attention(
    width: int, heads: int, length: int, share: float = 0.0, normalization: NormalizationEntry | None = None
) -> Layer:
    """Attention of `length` tokens of this width to each other.

    Args:
        width: numbers of a token.
        heads: into how many parts they are cut.
        length: tokens of a row.
        share: of the attention that is dropped in training.
        normalization: what wraps its weights.
    """
    layers = {"project": linear(width, 3 * width, length), "combine": linear(width, width, length)}
    if normalization:
        layers = {name: normalization.wrap(layer) for name, layer in layers.items()}
    knobs = {**layers, "heads": heads, "dropout": share}
    return Layer("training.layers.SelfAttention", (), knobs, products=2 * length * length * width)


def heads_unfit(width: int, heads: int) -> list[Fault]:
    """The fault of a width that is not cut into equal parts."""
    if width % heads == 0:
        return []
    message = f"{heads} heads do not divide a width of {width} evenly; set heads to a divisor of it"
    return [Fault(pointer="/model/heads", code="heads_unfit", message=message)]


class TokenEntry(DeepEntry, ArrayEntry):
    """A transformer encoder: tokens that attend to each other and think each for itself, layer after layer."""

    width: Annotated[int, Ge(1), Le(4096)] = 64
    """Numbers of a token."""
    heads: Annotated[int, Ge(1), Le(64)] = 4
    """How many parts of a token look around by themselves; they must divide the width."""
    layers: Annotated[int, Ge(1), Le(48)] = 2
    """How many times it attends and thinks."""
    expansion: Annotated[int, Ge(1), Le(16)] = 4
    """How many times wider than a token the hidden layer of the perceptron behind each attention is."""
    positions: Literal["learned", "sinusoidal", "none"] = "learned"
    """How a token knows its place; with none, the order of the tokens makes no difference."""
    pool: Literal["mean", "cls"] = "mean"
    """What the last layer sees: the mean of all tokens, or one of its own that was learned and put before them."""
    activation: Activation = Gelu()
    """What bends the perceptrons' hidden layers."""
    normalization: Normalization = LayerNorm()
    """What keeps tokens at a steady size; each is normalised as a row of its own."""
    normalization_place: Literal["before", "after"] = "before"
    """Before each attention and perceptron, and once at the end (pre-norm, steadier); or after each sum (post-norm, as
    the first transformer had it)."""
    attention_dropout: Share = 0.0
    """Share of the attention that is set to 0 in training."""

    def _misfit(self) -> list[Fault]:
        """What does not go together, whatever the rows are."""
        return heads_unfit(self.width, self.heads) or self._misfits([(self.width, 1)])

    def _encoder(self, length: int, outputs: int) -> list[Layer]:
        """From tokens (rows, length, width) to the outputs."""
        begun = [Layer("training.layers.ClassToken", (self.width,), {}, {"weight": (self.width,)}, 0)]
        length += 1 if self.pool == "cls" else 0
        blocks = [block for _ in range(self.layers) for block in self._block(length)]
        ended = self._normalized() if self.normalization_place == "before" else []
        chosen = "training.layers.FirstToken" if self.pool == "cls" else "training.layers.MeanStep"
        return [
            *(begun if self.pool == "cls" else []),
            *self._placed(length),
            *dropout(self.dropout),
            *blocks,
            *ended,
            Layer(chosen),
            *self._ending(self.width, outputs),
        ]

    def _block(self, length: int) -> list[Layer]:
        attention = self_attention(self.width, self.heads, length, self.attention_dropout, self.normalization)
        hidden = self.expansion * self.width
        perceptron = [
            self.normalization.wrap(linear(self.width, hidden, length)),
            self.activation.layer(axis=-1),
            *dropout(self.dropout),
            self.normalization.wrap(linear(hidden, self.width, length)),
        ]
        return [layer for body in ([attention], perceptron) for layer in self._added(body)]

    def _added(self, body: list[Layer]) -> list[Layer]:
        """A branch, what it was given, and their normalization."""
        branch = [*body, *dropout(self.dropout)]
        if self.normalization_place == "before":
            return [residual([*self._normalized(), *branch])]
        return [residual(branch), *self._normalized()]

    def _normalized(self) -> list[Layer]:
        layer = self.normalization.of_tokens(self.width)
        return [layer] if layer else []

    def _placed(self, length: int) -> list[Layer]:
        if self.positions == "none":
            return []
        learned = {"weight": (length, self.width)} if self.positions == "learned" else {}
        target = f"training.layers.{self.positions.capitalize()}Positions"
        return [Layer(target, (length, self.width), {}, learned, 0)]


class Transformer(TokenEntry):
    """Every step of a sequence looks at all others and takes from them what it needs: an encoder, for rows as a whole.

    For sequences of up to some hundred steps. It knows no order but what it is told, so it needs more rows than what
    reads step by step.
    """

    formula = (
        "h = W x_t + b + p_t;  for each layer h = h + attention(norm(h)),  h = h + W2 activation(W1 norm(h));  "
        "z = W3 mean_t(norm(h)) + b3"
    )
    paper = "Vaswani et al. 2017; Xiong et al. 2020 for the normalization before each layer"
    pitfall = (
        "Time and memory grow with the square of the length; with the normalization after, the first steps diverge "
        "without a warm-up."
    )
    name: Literal["transformer"] = "transformer"

    def _faults(self, shape: InputShape) -> list[Fault]:
        if shape.sequence is None:
            return [self._wrong_axes(shape.array or (), "sequences: [length], or [length, features]")]
        return self._misfit()

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        length, features = shape.sequence or (0, 0)
        entrance = [*sequence_steps(length, features), linear(features, self.width, length)]
        return [*entrance, *self._encoder(length, outputs)]


class Vit(TokenEntry):
    """A transformer of images: cuts one into squares, and each is a token that looks at all others."""

    formula = (
        "h = W x_patch + b + p;  for each layer h = h + attention(norm(h)),  h = h + W2 activation(W1 norm(h));  "
        "z = W3 norm(h)_cls + b3"
    )
    paper = "Dosovitskiy et al. 2021"
    pitfall = "It has to learn what is near what: on small data sets a cnn gets further with less."
    name: Literal["vit"] = "vit"
    patch: Annotated[int, Ge(1), Le(1024)] = 4
    """Side of a square, in pixels; it must divide height and width."""
    pool: Literal["mean", "cls"] = "cls"
    """What the last layer sees: the mean of all tokens, or one of its own that was learned and put before them."""

    def _faults(self, shape: InputShape) -> list[Fault]:
        if shape.image is None:
            return [self._wrong_axes(shape.array or (), "images: [height, width], or [channels, height, width]")]
        size = shape.image[1:]
        if any(length % self.patch for length in size):
            message = f"squares of {self.patch} do not cut an image of {shown(size)} evenly; set patch to a divisor"
            return [Fault(pointer="/model/patch", code="patch_unfit", message=message)]
        return self._misfit()

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        channels, *size = shape.image or (0, 0, 0)
        patches = convolution(channels, self.width, self.patch, tuple(size), self.patch, padding=0)
        tokens = [Layer("torch.nn.Flatten", (2,)), Layer("training.layers.Transpose")]
        entrance = [Layer("torch.nn.Unflatten", (1, (channels, *size))), patches, *tokens]
        return [*entrance, *self._encoder(size[0] // self.patch * (size[1] // self.patch), outputs)]
