"""A downloaded model as a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.predict import Predictions, Predictor


class Model(nn.Module):
    """A trained network that also answers for raw rows.

    As a module it takes prepared rows (rows, inputs) to scores (rows, outputs), and can be trained on.

    Args:
        predictor: the network with everything round it.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.network = predictor.model
        self._predictor = predictor

    def forward(self, rows: Tensor) -> Tensor:
        """Scores (rows, outputs) of prepared rows, as `inputs` makes them."""
        return self.network(rows)

    def inputs(self, columns: Mapping[str, Sequence[Any]]) -> Tensor:
        """Prepared rows (rows, inputs) of raw columns (rows,) by name; raises as `predict`."""
        return self._predictor.inputs(columns)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> Predictions:
        """Class names and probabilities, or numbers in the target's own unit.

        Args:
            columns: values (rows,) by name, as a file would hold them; None where one is missing.

        Raises:
            api_schemas.errors.InvalidRequest: when a column is missing, or holds what the model cannot read.
        """
        training = self.training
        self.eval()  # no dropout, batch norm by its running statistics, also while somebody trains it on
        try:
            return self._predictor.predict(columns)
        finally:
            self.train(training)


def load(path: Path | str, device: torch.device | str = "cpu") -> Model:
    """Read a model as `GET /v1/jobs/{id}/model` gives it, as a zip or as safetensors.

    Args:
        path: the file.
        device: where the network computes; `predict` needs it to stay there.

    Raises:
        training.model_file.UnreadableModel: when it is no such file.
    """
    return Model(Predictor.load(path, torch.device(device)))
