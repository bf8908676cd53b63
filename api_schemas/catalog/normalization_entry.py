"""What every normalization is to a network."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Gt, Le

from api_schemas.catalog.entry import Entry
from api_schemas.catalog.layers import Layer

Epsilon = Annotated[float, Gt(0), Le(1)]


class NormalizationEntry(Entry):
    """Keeps what the next layer sees at a steady size: rescales the outputs of a layer, or the layer's weight."""

    kind = "normalizations"
    batch_statistics: ClassVar[bool] = False
    """Whether training uses the statistics of the batch; such a one cannot take a batch of a single row."""
    divides_weight: ClassVar[bool] = False
    """Whether it divides a weight by its size, so that a weight of zeros is an error."""
    reads_tokens: ClassVar[bool] = False
    """Whether its layer takes the last axis as a row's features, whatever stands before it."""
    ignores_scale: ClassVar[bool] = False
    """Whether it undoes any factor that a weight is multiplied with."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        """What stands behind a layer; None where nothing does.

        Args:
            width: features of a row (rows, width), or channels of a sequence or image (rows, width, ...).
            axes: how many axes stand behind the channels: 0 for rows, 1 for sequences, 2 for images.
        """
        return None

    def of_tokens(self, width: int) -> Layer | None:
        """What stands behind a layer of tokens (rows, length, width), each of them normalised as a row of its own."""
        layer = self.layer(width)
        return layer if layer is None or self.reads_tokens else Layer("training.layers.EachToken", (), {"layer": layer})

    def wrap(self, layer: Layer) -> Layer:
        """The layer itself, with its weight normalised where that is what this one does."""
        return layer

    def unfit(self, width: int, places: int) -> str:
        """Why it has no place behind a layer; empty where it has.

        Args:
            width: features or channels of the layer.
            places: length of a sequence, height times width of an image; 1 where a feature is a single number.
        """
        return ""


class OutputNormalizationEntry(NormalizationEntry):
    """Rescales the outputs of a layer, then lets the network choose scale gamma and shift beta of each feature."""

    image_target: ClassVar[str] = ""
    """The target for images, where it is another one."""

    def layer(self, width: int, axes: int = 0) -> Layer | None:
        call = self.call(width)
        target = self.image_target if axes == 2 and self.image_target else call.target
        return Layer(target, call.args, call.kwargs, self.parameters(width))

    def parameters(self, width: int) -> dict[str, tuple[int, ...]]:
        """Shapes of gamma and beta, by torch's names."""
        return {"weight": (width,), "bias": (width,)}
