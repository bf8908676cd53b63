"""The models that read text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt

from api_schemas.catalog.activations import Activation, Gelu
from api_schemas.catalog.call import Call
from api_schemas.catalog.initializations import Initialization, Normal
from api_schemas.catalog.layers import InputShape, Layer, dropout, linear, residual, sequential
from api_schemas.catalog.losses import LossEntry
from api_schemas.catalog.model_entry import ModelEntry
from api_schemas.catalog.normalizations import NoNormalization, Normalization
from api_schemas.catalog.normalizations_row import LayerNorm, RmsNorm
from api_schemas.errors import Fault

_LAYERS = "training.layers_language"


class Gpt(ModelEntry):
    """A causal transformer: from the tokens of a text so far to scores of the next one, at every place at once.

    For text files. A row is a window of `context` tokens; what comes further back is not seen. The defaults are small
    enough for a processor: minutes on a few hundred kilobytes, and a text that looks like words.
    """

    formula = (
        "h = E[token] + P[place];  for each layer h = h + attention(norm(h)), h = h + W2 activation(W1 norm(h));  "
        "z = E norm(h)"
    )
    paper = "Radford et al. 2019; Press and Wolf 2017 for the tied embedding"
    pitfall = (
        "Without a warm-up of the learning rate the first steps can throw it off; and its memory grows with the square"
        " of the context."
    )
    learns = "next_token"

    name: Literal["gpt"] = "gpt"
    context: Annotated[int, Ge(2), Le(4096)] = 64
    """How many tokens it sees."""
    layers: Annotated[int, Ge(1), Le(48)] = 2
    """How many times it attends and thinks."""
    heads: Annotated[int, Ge(1), Le(64)] = 4
    """How many parts of a vector look around by themselves; they must divide the width."""
    width: Annotated[int, Ge(1), Le(4096)] = 64
    """Numbers in a token's vector."""
    expansion: Annotated[int, Ge(1), Le(16)] = 4
    """How many times wider than that the hidden layer of the perceptron behind each attention is."""
    activation: Activation = Gelu()
    """What bends that hidden layer's output."""
    normalization: Normalization = LayerNorm()
    """What stands before each attention, each perceptron and the scores; one that looks at one token alone."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of embeddings, attention and of what each branch adds that is set to 0 in training."""
    tied_embedding: bool = True
    """Whether the scores of the tokens come from the same vectors that the tokens enter by."""
    initialization: Initialization = Normal(std=0.02)
    """What the linear layers' weights are before the first step; embeddings start normal, of deviation 0.02."""

    @property
    def window(self) -> int | None:
        return self.context

    def faults(self, shape: InputShape) -> list[Fault]:
        faults: list[Fault] = []
        if shape.tokens is None:
            message = "a gpt reads text, and this dataset has columns of numbers; take an mlp, or upload a .txt file"
            faults.append(Fault(pointer="/model/name", code="no_text", message=message))
        if self.width % self.heads:
            message = f"{self.heads} heads do not divide a width of {self.width} evenly; set heads to a divisor of it"
            faults.append(Fault(pointer="/model/heads", code="heads_unfit", message=message))
        if not isinstance(self.normalization, LayerNorm | RmsNorm | NoNormalization):
            message = (
                f"{self.normalization.name!r} does not look at one token alone, so that tokens would see what comes "
                "after them; use layer_norm, rms_norm or none"
            )
            faults.append(Fault(pointer="/model/normalization", code="normalization_unfit", message=message))
        return faults

    def network(self, shape: InputShape, outputs: int) -> Layer:
        if shape.tokens is None:
            raise ValueError("a gpt reads text")
        length = shape.tokens[0]
        embedding = self._embedding(length, outputs)
        body = [*dropout(self.dropout), *self._blocks(length), *self._normalized()]
        layers = (
            [self._tied(embedding, body, length, outputs)]
            if self.tied_embedding
            else [embedding, *body, linear(self.width, outputs, places=length)]
        )
        return sequential([*layers, *self._bent()])

    def criterion(self, loss: LossEntry) -> Call:
        return Call("training.language.EveryToken", (loss.call(),))

    def initialize(self, model: Any, inputs: Any) -> Call | None:
        return self.initialization.start(model, inputs, slope=self.activation.slope)

    def _embedding(self, length: int, vocabulary: int) -> Layer:
        shapes = {"tokens.weight": (vocabulary, self.width), "places.weight": (length, self.width)}
        return Layer(f"{_LAYERS}.TokenEmbedding", (vocabulary, length, self.width), {}, shapes, places=0)

    def _tied(self, embedding: Layer, body: list[Layer], length: int, vocabulary: int) -> Layer:
        parts = {"embedding": embedding, "body": sequential(body)}
        return Layer(f"{_LAYERS}.TiedScores", (), parts, products=length * vocabulary * self.width)

    def _blocks(self, length: int) -> list[Layer]:
        attention = [*self._normalized(), self._attention(length), *dropout(self.dropout)]
        hidden = self.expansion * self.width
        perceptron = [
            *self._normalized(),
            linear(self.width, hidden, places=length),
            self.activation.layer(),
            linear(hidden, self.width, places=length),
            *dropout(self.dropout),
        ]
        return [residual(branch) for _ in range(self.layers) for branch in (attention, perceptron)]

    def _attention(self, length: int) -> Layer:
        width = self.width
        shapes = {"ask.weight": (3 * width, width), "ask.bias": (3 * width,)}
        shapes |= {"answer.weight": (width, width), "answer.bias": (width,)}
        target, args = f"{_LAYERS}.CausalAttention", (width, self.heads, self.dropout)
        return Layer(target, args, {}, shapes, length, products=2 * length * length * width)

    def _normalized(self) -> list[Layer]:
        layer = self.normalization.layer(self.width)
        return [layer] if layer else []
