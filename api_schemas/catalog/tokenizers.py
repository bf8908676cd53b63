"""The tokenizers: how a text becomes the numbers that a language model reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry, OneOf


@dataclass(frozen=True)
class Text:
    """What a job has to know of a text before it is read."""

    bytes: int
    """Its length in UTF-8."""
    alphabet: str
    """Its different characters, rising."""


class TokenizerEntry(Entry):
    """How text is cut into the tokens that a language model reads and writes."""

    kind = "tokenizers"

    def vocabulary(self, text: Text) -> int:
        """How many different tokens a network has to know."""
        raise NotImplementedError

    def fit(self, whole: Any, training: Any) -> Call:
        """The call that makes it.

        Args:
            whole: the text in UTF-8, or the name that it has.
            training: the part of it that trains, or the name.
        """
        return self.call()

    def restore(self, held: str) -> Call:
        """The call that makes it again from what a model's file holds of it."""
        return self.call()


class BytesTokenizer(TokenizerEntry):
    """A token is a byte of UTF-8, 256 in all: nothing can be new to it.

    In English text a byte is a character; elsewhere a character is two to four of them.
    """

    formula = "token = byte"
    paper = "Graves 2013"
    pitfall = "Where characters are several bytes, half of the network's work goes into spelling them."
    target = "training.data.tokens.Bytes"
    name: Literal["bytes"] = "bytes"

    def vocabulary(self, text: Text) -> int:
        return 256


class CharactersTokenizer(TokenizerEntry):
    """A token is a character, of those that the text has: what it learns can be read off letter by letter."""

    formula = "token = place of the character in the sorted alphabet of the text"
    paper = "Sutskever, Martens and Hinton 2011"
    pitfall = "A character that the text never had cannot be read in a prompt."
    target = "training.data.tokens.Characters"
    name: Literal["characters"] = "characters"

    def vocabulary(self, text: Text) -> int:
        return len(text.alphabet)

    def fit(self, whole: Any, training: Any) -> Call:
        return self.call(Call("training.data.tokens.alphabet", (whole,)))

    def restore(self, held: str) -> Call:
        return self.call(held)


class BytePairsTokenizer(TokenizerEntry):
    """A token is a byte, or a piece of a word that is frequent in the training part: GPT-2's tokens.

    Longer tokens let the same context see further back, at the price of more of them to choose from. An epoch has as
    many windows whatever the tokens, so those of long tokens overlap.
    """

    formula = "repeat: merge the two neighbouring tokens that are there most often, until there are vocab_size"
    paper = "Sennrich, Haddow and Birch 2016; Radford et al. 2019 for bytes"
    pitfall = (
        "On a small text most tokens of a large vocabulary are rare, and the network learns them by heart; losses and "
        "perplexities are those of a token, so look at bits per character."
    )
    target = "training.data.byte_pairs.byte_pairs"
    name: Literal["bpe"] = "bpe"
    vocab_size: Annotated[int, Ge(257), Le(65_536)] = 512
    """How many tokens there are, the 256 bytes among them."""

    def vocabulary(self, text: Text) -> int:
        return self.vocab_size

    def fit(self, whole: Any, training: Any) -> Call:
        return self.call(training)

    def restore(self, held: str) -> Call:
        return Call("training.data.byte_pairs.BytePairs", (held,))


Tokenizer = Annotated[TokenizerEntry, OneOf(TokenizerEntry)]
