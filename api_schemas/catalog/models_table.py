"""Models made for the columns of a table."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from api_schemas.catalog.call import Call
from api_schemas.catalog.layers import InputShape, Layer, dropout, embedded, linear, residual, sequential
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.model_entry import DeepEntry, Share, Width
from api_schemas.catalog.models_attention import heads_unfit, self_attention
from api_schemas.catalog.normalizations import LayerNorm, Normalization
from api_schemas.errors import Fault

_MEMBERS = "training.layers_members"


class FtTransformer(DeepEntry):
    """A transformer of columns: each becomes a token, and they attend to each other.

    The defaults are the paper's for three layers. It is at its best with AdamW at a rate of 1e-4.
    """

    formula = (
        "h_j = x_j w_j + b_j, or w_j,category + b_j, and h_0 learned;  for each layer h = h + attention(norm(h)),  "
        "h = h + W2 (W1 norm(h) * activation(V1 norm(h)));  z = W activation(norm(h_0)) + b"
    )
    paper = "Gorishniy et al. 2021; Shazeer 2020 for the gated layer"
    pitfall = "Time and memory grow with the square of the columns: with hundreds of them take tabm or an mlp."
    name: Literal["ft_transformer"] = "ft_transformer"
    width: Annotated[int, Ge(1), Le(2048)] = 192
    """Numbers of a token."""
    heads: Annotated[int, Ge(1), Le(64)] = 8
    """How many parts of a token look around by themselves; they must divide the width."""
    layers: Annotated[int, Ge(1), Le(24)] = 3
    """How many times it attends and thinks."""
    expansion: Annotated[float, Gt(0), Le(16)] = 4 / 3
    """How many times wider than a token the hidden layer behind each attention is; it is gated, and so has twice as
    many numbers going in."""
    normalization: Normalization = LayerNorm()
    """What keeps tokens at a steady size, before each attention but the first, and before each hidden layer."""
    dropout: Share = 0.1
    """Share of the hidden layers' numbers that is set to 0 in training."""
    attention_dropout: Share = 0.2
    """Share of the attention that is set to 0 in training."""
    residual_dropout: Share = 0.0
    """Share of what each attention and hidden layer adds that is set to 0 in training."""

    def faults(self, shape: InputShape) -> list[Fault]:
        return heads_unfit(self.width, self.heads) or self._misfits([(self.width, 1)])

    def network(self, shape: InputShape, outputs: int) -> Layer:
        length = shape.width + 1
        begun = Layer("training.layers.ClassToken", (self.width,), {}, {"weight": (self.width,)}, 0)
        blocks = [block for place in range(self.layers) for block in self._block(length, first=place == 0)]
        ended = [Layer("training.layers.FirstToken"), *self._normalized(rows=True), self.activation.layer()]
        return sequential([self._tokens(shape), begun, *blocks, *ended, *self._ending(self.width, outputs)])

    def _tokens(self, shape: InputShape) -> Layer:
        codes, size = dict(sorted(shape.categories.items())), self.width
        shapes = {"weight": (shape.width - len(codes), size), "bias": (shape.width, size)}
        shapes |= {f"tables.{place}.weight": (values, size) for place, values in enumerate(codes.values())}
        return Layer("training.layers_table.FeatureTokens", (shape.width, size, codes), {}, shapes, 0)

    def _block(self, length: int, *, first: bool) -> list[Layer]:
        hidden = int(self.width * self.expansion)
        attention = self_attention(self.width, self.heads, length, self.attention_dropout, self.normalization)
        perceptron = [
            self.normalization.wrap(linear(self.width, 2 * hidden, length)),
            Layer("training.layers_table.Gated", (), {"activation": self.activation.layer(axis=-1)}),
            *dropout(self.dropout),
            self.normalization.wrap(linear(hidden, self.width, length)),
        ]
        # Without the very first normalization, as the authors found.
        before = [] if first else self._normalized()
        after = dropout(self.residual_dropout)
        return [residual([*before, attention, *after]), residual([*self._normalized(), *perceptron, *after])]

    def _normalized(self, *, rows: bool = False) -> list[Layer]:
        layer = self.normalization.layer(self.width) if rows else self.normalization.of_tokens(self.width)
        return [layer] if layer else []


class TabM(DeepEntry):
    """Many perceptrons in one: they share their weights but for scales, learn each by itself, and answer together.

    Nearly as cheap as one perceptron that is as wide, and mostly better than it and than gradient-boosted trees. Their
    scores are averaged at test time.
    """

    formula = "h_k = dropout(activation(s_k (W (r_k h_k)) + b_k)) for each of hidden;  z = mean_k(V_k h_k + c_k)"
    paper = "Gorishniy, Kotelnikov and Babenko 2025; Wen, Tran and Ba 2020 for the shared weights"
    pitfall = "With weight decay on the scales members grow alike; a member's loss in training is above that of all."
    name: Literal["tabm"] = "tabm"
    networks: Annotated[int, Ge(2), Le(256)] = 32
    """How many perceptrons there are."""
    hidden: Annotated[list[Width], MinLen(1), MaxLen(64)] = [512, 512, 512]
    """Width of each hidden layer."""
    dropout: Share = 0.1
    """Share of hidden outputs that is set to 0 in training; the others are scaled up to make up for it."""

    def faults(self, shape: InputShape) -> list[Fault]:
        return self._misfits((width, 1) for width in self.hidden)

    def network(self, shape: InputShape, outputs: int) -> Layer:
        before, entering = embedded(shape)
        layers = [*before, Layer(f"{_MEMBERS}.Members", (self.networks,))]
        for place, (width_in, width) in enumerate(itertools.pairwise([entering, *self.hidden])):
            layers += self._hidden(width_in, width, first=place == 0)
        return sequential([*layers, self._heads(outputs), Layer(f"{_MEMBERS}.MembersAsRows"), *self._bent()])

    def criterion(self, loss: LossEntry) -> Call:
        kind = "MembersOfClasses" if loss.task == "classification" else "MembersOfNumbers"
        return Call(f"{_MEMBERS}.{kind}", (loss.call(),))

    def _hidden(self, inputs: int, outputs: int, *, first: bool) -> list[Layer]:
        shared = Layer(
            "torch.nn.Linear", (inputs, outputs), {"bias": False}, {"weight": (outputs, inputs)}, self.networks
        )
        own = {"before": (self.networks, inputs), "after": (self.networks, outputs), "bias": (self.networks, outputs)}
        knobs = {"linear": self.normalization.wrap(shared), "members": self.networks, "signs": first}
        normalized = self.normalization.of_tokens(outputs)
        return [
            Layer(f"{_MEMBERS}.SharedLinear", (), knobs, own),
            *([normalized] if normalized else []),
            self.activation.layer(axis=-1),
            *dropout(self.dropout),
        ]

    def _heads(self, outputs: int) -> Layer:
        size = (self.networks, self.hidden[-1], outputs)
        shapes = {"weight": size, "bias": (self.networks, outputs)}
        return Layer(f"{_MEMBERS}.OwnLinear", size, {}, shapes)
