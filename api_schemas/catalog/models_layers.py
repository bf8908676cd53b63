"""The model that is a list of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, MinLen

from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import OneOf
from api_schemas.catalog.layer_entry import (
    ActivationLayer,
    FlattenLayer,
    LayerEntry,
    LinearLayer,
    NormalizationLayer,
    ResidualLayer,
    Unfit,
    lay_all,
)
from api_schemas.catalog.layers import Array, InputShape, Layer, Size, embedded, sequential, shown
from api_schemas.catalog.models_image import GridEntry
from api_schemas.errors import Fault

_PROBES = (16_411, 16_417)
"""Outputs that no width or product of widths equals both of: what has that many follows the outputs."""


class Layers(GridEntry):
    """The network of any table in a paper: its layers one by one, their shapes inferred and checked.

    `{"name": "layers", "layers": [{"name": "conv1d", "channels": 32, "kernel": 5, "stride": 2}, {"name":
    "activation"}, {"name": "flatten"}, {"name": "linear"}]}`. Rows that are arrays arrive as channels x length or
    channels x height x width, others as a list of numbers.
    """

    formula = "z = layer_n(... layer_2(layer_1(x)))"
    pitfall = "Nothing is added by itself: between two layers with weights an activation has to be named."
    name: Literal["layers"] = "layers"
    layers: Annotated[list[Annotated[LayerEntry, OneOf(LayerEntry)]], MinLen(1), MaxLen(200)] = [
        FlattenLayer(),
        LinearLayer(units=128),
        ActivationLayer(),
        LinearLayer(),
    ]
    """The layers, in their order; the last one gives the outputs, as `{"name": "linear"}` does."""

    @property
    def uses_batch_statistics(self) -> bool:
        return any(
            isinstance(entry, NormalizationLayer) and entry.normalization.batch_statistics for entry in self._entries()
        )

    def faults(self, shape: InputShape) -> list[Fault]:
        if self.array or shape.array:
            return super().faults(shape)
        _, width = embedded(shape)
        return self._misfits((width,))

    def network(self, shape: InputShape, outputs: int) -> Layer:
        if self.array or shape.array:
            return super().network(shape, outputs)
        before, width = embedded(shape)
        layers, _ = lay_all(self.layers, (width,), outputs)
        return sequential([*before, *layers, *self._bent()])

    def initialize(self, model: Any, inputs: Any) -> Call | None:
        slopes = (entry.activation.slope for entry in self._entries() if isinstance(entry, ActivationLayer))
        return self.initialization.start(model, inputs, slope=next(slopes, 1.0))

    def _unfit(self, channels: int, size: Size) -> list[Fault]:
        return self._misfits((channels, *size))

    def _layers(self, shape: InputShape, outputs: int) -> Sequence[Layer]:
        entrance, channels, size = self._entrance(shape)
        layers, _ = lay_all(self.layers, (channels, *size), outputs)
        return [*entrance, *layers, *self._bent()]

    def _misfits(self, arriving: Array) -> list[Fault]:
        """The first layer that cannot take what arrives, or a last one that does not give the outputs."""
        for probe in _PROBES:
            try:
                _, leaving = lay_all(self.layers, arriving, probe)
            except Unfit as unfit:
                return [Fault(pointer=f"/model/{unfit.where}", code="layer_unfit", message=unfit.message)]
            if leaving != (probe,):
                return [self._no_outputs(leaving)]
        return []

    def _no_outputs(self, leaving: Array) -> Fault:
        return Fault(
            pointer=f"/model/layers/{len(self.layers) - 1}",
            code="no_outputs",
            message=f"{shown(leaving)} leaves the last layer, and the loss wants the network's outputs; end with "
            '{"name": "linear"}, whose units are "outputs"',
        )

    def _entries(self) -> Iterator[LayerEntry]:
        for entry in self.layers:
            yield from entry.layers if isinstance(entry, ResidualLayer) else (entry,)
