"""From a language model's file and a prompt to text."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from training.build import build_model
from training.data.prepare_text import TextDescription, TextPreparation
from training.model_file import StoredModel, load_model

_CPU = torch.device("cpu")


class Writer:
    """A trained language model that goes on with a text.

    Args:
        stored: what a run left behind.
        device: where to compute.

    Raises:
        InvalidRequest: when the model reads columns.
    """

    def __init__(self, stored: StoredModel, device: torch.device = _CPU) -> None:
        if not isinstance(stored.preparation, TextPreparation):
            raise reads_columns("/prompt")
        self.spec: JobSpec = stored.spec
        self._device, self._preparation = device, stored.preparation
        self.model: nn.Sequential = build_model(self.spec.model, stored.preparation.shape, self.tokens.vocabulary)
        self.model.load_state_dict(stored.weights)
        self.model.to(device, getattr(torch, self.spec.training.kept_in)).eval()

    @classmethod
    def load(cls, path: Path | str, device: torch.device = _CPU) -> Writer:
        """Read a model's file.

        Raises:
            training.model_file.UnreadableModel: when it is none.
        """
        return cls(load_model(Path(path)), device)

    @property
    def tokens(self) -> TextDescription:
        """What the network reads and scores."""
        return self._preparation.description

    def write(self, prompt: str, length: int = 200, temperature: float = 1.0, seed: int = 0) -> str:
        """What may follow a text; the same arguments give the same answer.

        Args:
            prompt: how the text begins; only its last `context` tokens are seen.
            length: how many tokens to write.
            temperature: what scores are divided by before chance decides; 0 always takes the likeliest token.
            seed: of the chance.

        Raises:
            InvalidRequest: when the prompt is empty, or has a character that the model does not know.
        """
        if not prompt:
            raise InvalidRequest.at("/prompt", "empty_prompt", "there is nothing to go on with; give a character")
        try:
            begun = self._preparation.tokens.encode(prompt.encode())
        except ValueError as error:
            raise InvalidRequest.at("/prompt", "unknown_character", str(error)) from error
        tokens = torch.from_numpy(begun).to(self._device)
        chance = torch.Generator().manual_seed(seed)
        written = generate(self.model, tokens, length, self.tokens.context, temperature, chance)
        return self._preparation.tokens.decode(written.tolist())


def reads_columns(pointer: str) -> InvalidRequest:
    """What is said to a prompt, at its place, that a model of columns is asked."""
    return InvalidRequest.at(pointer, "reads_columns", "this model reads columns, not text; send it rows")


@torch.inference_mode()
def generate(
    model: nn.Module, tokens: Tensor, length: int, context: int, temperature: float, chance: torch.Generator
) -> Tensor:
    """Draw tokens (length,) one after the other, each from the scores behind the last `context` that are there.

    Args:
        model: from tokens (rows, at most context) to scores (rows, places, vocabulary), in test mode.
        tokens: what is there already (at least 1,).
        length: how many to draw.
        context: how many the model sees.
        temperature: what scores are divided by; 0 takes the highest.
        chance: a generator on the CPU, so that a GPU draws the same.
    """
    begun = len(tokens)
    for _ in range(length):
        scores = model(tokens[None, -context:])[0, -1].to("cpu", torch.float64)
        tokens = torch.cat([tokens, _draw(scores, temperature, chance).to(tokens.device)])
    return tokens[begun:]


def _draw(scores: Tensor, temperature: float, chance: torch.Generator) -> Tensor:
    """A token (1,) by its scores (vocabulary,)."""
    if temperature == 0:
        return scores.argmax(dim=0, keepdim=True)
    return torch.multinomial((scores / temperature).softmax(dim=0), 1, generator=chance)
