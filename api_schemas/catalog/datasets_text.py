"""The texts that a job can name without an upload."""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from api_schemas.catalog.datasets import BundledEntry, GeneratorEntry
from api_schemas.catalog.tokenizers import Text


class PythonReference(BundledEntry):
    """The reference of the Python language, as `help` shows it: English prose with code in it. For `gpt`.

    It ships with every Python, so there is nothing to download.
    """

    paper = "The Python Language Reference, Python Software Foundation"
    pitfall = "Each version of Python has its own edition: losses compare within one."
    target = "api_schemas.texts.python_reference"
    task = "classification"
    features = 1
    name: Literal["python_reference"] = "python_reference"
    characters: Annotated[int, Ge(1000), Le(400_000)] = 200_000
    """How many characters of it, from the first."""

    @property
    def class_counts(self) -> tuple[int, ...]:
        return (self.characters,)

    @property
    def text(self) -> Text | None:
        return _reference(self.characters)


@cache
def _reference(characters: int) -> Text:
    from api_schemas.texts import python_reference  # noqa: PLC0415 - half a megabyte that few processes need

    text = python_reference(characters)
    return Text(len(text), "".join(sorted(set(text.decode()))))


class MarkovText(GeneratorEntry):
    """A chain of letters whose entropy is known exactly: how near to it a language model comes can be read off.

    The next letter follows from the last `order` letters, all of them, unless noise is in the way. Whoever sees fewer
    finds all next ones equally likely, log2 symbols bits, and stays there.
    """

    formula = (
        "x_t = (x_{t-order} + r(x_{t-order+1}, ..., x_{t-1})) mod symbols with chance 1 - noise, else any letter;  "
        "bits per character: -q log2 q - (symbols - 1) p log2 p,  p = noise / symbols,  q = 1 - noise + p"
    )
    paper = "Shannon 1948"
    pitfall = "Its table has symbols^(order - 1) random places: a text too short to show each many times is no use."
    target = "api_schemas.texts.markov_text"
    task = "classification"
    features = 1
    name: Literal["markov_text"] = "markov_text"
    n: Annotated[int, Ge(1000), Le(1_000_000)] = 50_000
    """How many letters."""
    symbols: Annotated[int, Ge(2), Le(26)] = 4
    """How many different ones."""
    order: Annotated[int, Ge(1), Le(4)] = 2
    """How many letters decide on the next."""
    noise: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Chance that a letter is drawn at random instead."""

    @property
    def class_counts(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def text(self) -> Text | None:
        return Text(self.n, "".join(chr(ord("a") + symbol) for symbol in range(self.symbols)))

    @property
    def entropy(self) -> float:
        """Bits of a letter that nobody can know beforehand."""
        other = self.noise / self.symbols
        right = 1 - self.noise + other
        return -right * math.log2(right) - (self.symbols - 1) * other * math.log2(other)
