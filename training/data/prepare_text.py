"""From a job's text to the windows of tokens that it trains and judges on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from api_schemas.base import Schema
from api_schemas.catalog.layers import InputShape
from api_schemas.catalog.tokenizers import Tokenizer
from api_schemas.datasets import Dataset, Upload
from api_schemas.jobs import JobSpec
from api_schemas.plan import input_shape
from api_schemas.splits import split_sizes
from api_schemas.text import windows_in
from training.build import build, evaluate
from training.data.preparation import BadData
from training.language import windows


class Tokens(Protocol):
    """What cuts text and puts it together again, as in `training.data.tokens`."""

    held: str
    """What it learned, as text that it can be made again from; empty where it learns nothing."""
    lengths: np.ndarray  # (vocabulary,): characters that begin in each token

    def encode(self, text: bytes) -> np.ndarray:
        """The tokens (tokens,) of text in UTF-8."""
        ...

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""
        ...


class TextDescription(Schema):
    """What a model's file says of its tokens."""

    tokenizer: Tokenizer
    """What was asked for."""
    held: str
    """What it learned: the alphabet, or the merges."""
    context: int
    """How many tokens the network sees."""
    vocabulary: int
    """How many different ones it scores."""


@dataclass(frozen=True)
class TextPreparation:
    """Everything between text and a network."""

    description: TextDescription
    tokens: Tokens

    @classmethod
    def load(cls, description: TextDescription) -> TextPreparation:
        """The preparation whose `description` this is."""
        return cls(description, evaluate(description.tokenizer.restore(description.held)))

    @property
    def shape(self) -> InputShape:
        """What the network sees of a row."""
        context = self.description.context
        return InputShape(context, tokens=(context, self.description.vocabulary))

    def arrays(self) -> dict[str, np.ndarray]:
        """No numbers are fitted."""
        return {}


def prepare_text(
    spec: JobSpec, dataset: Dataset | None, arrays: dict[str, np.ndarray] | None
) -> tuple[TextPreparation, list[np.ndarray]]:
    """Load, split by place and cut into tokens; what is learned for it is learned from the training part alone.

    Args:
        spec: as `api_schemas.plan.make_plan` settled it.
        dataset: the upload that the spec names; None for a text named by name.
        arrays: its bytes, as `training.data.text_files.inspect_text` made them.

    Returns:
        The preparation, and for training, validation and test windows (rows, context + 1): what comes in and, a place
        later, what shall come out.

    Raises:
        BadData: when a part has fewer tokens than a window.
    """
    shape = input_shape(spec, dataset, 0)
    if shape.tokens is None:
        raise ValueError("take the spec that make_plan settled for a text")
    text = arrays["text"].tobytes() if arrays else _named(spec)
    parts = split_text(text, spec.split.validation, spec.split.test)
    entry, (context, vocabulary) = spec.preprocessing.text, shape.tokens
    tokens: Tokens = evaluate(entry.fit(text, parts[0]))
    description = TextDescription(tokenizer=entry, held=tokens.held, context=context, vocabulary=vocabulary)
    return TextPreparation(description, tokens), [_windows(tokens, part, context) for part in parts]


def split_text(text: bytes, validation: float, test: float) -> tuple[bytes, bytes, bytes]:
    """The parts that train, validate and test: the first, the next and the last bytes of a text."""
    train, validating, _ = split_sizes(len(text), validation, test)
    return text[:train], text[train : train + validating], text[train + validating :]


def _named(spec: JobSpec) -> bytes:
    if isinstance(spec.dataset, Upload):
        raise TypeError("an upload needs its arrays")
    return build(spec.dataset)


def _windows(tokens: Tokens, part: bytes, context: int) -> np.ndarray:
    count = windows_in(len(part), context)
    if not count:
        return np.empty((0, context + 1), np.int64)
    try:
        return windows(tokens.encode(part), count, context + 1)
    except ValueError as error:
        raise BadData(f"{error}; use a shorter context, or larger parts in `split`") from error
