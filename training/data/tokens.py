"""What cuts text into tokens and puts it together again."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Bytes:
    """Every byte of UTF-8 is a token."""

    held = ""

    lengths = np.array([0 if 0x80 <= byte < 0xC0 else 1 for byte in range(256)])
    """Characters that begin in each token (vocabulary,)."""

    def encode(self, text: bytes) -> np.ndarray:
        """The tokens (tokens,) of text in UTF-8."""
        return np.frombuffer(text, np.uint8).astype(np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; what is no whole character becomes a replacement mark."""
        return bytes(tokens).decode(errors="replace")


class Characters:
    """Every character is a token.

    Args:
        alphabet: the characters, rising; a token is a character's place in it.
    """

    def __init__(self, alphabet: str) -> None:
        self.held = alphabet
        self.lengths = np.ones(len(alphabet), dtype=np.int64)

    def encode(self, text: bytes) -> np.ndarray:
        """The tokens (tokens,) of text in UTF-8; half a character at either end is left out.

        Raises:
            ValueError: where there is a character that is not in the alphabet.
        """
        known, codes = (_codes(part) for part in (self.held, text.decode(errors="ignore")))
        tokens = np.searchsorted(known, codes).clip(max=len(known) - 1)
        strange = known[tokens] != codes
        if strange.any():
            raise ValueError(f"{chr(codes[strange.argmax()])!r} is none of the {len(known)} characters that are known")
        return tokens

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""
        return "".join(self.held[token] for token in tokens)


def alphabet(text: bytes) -> str:
    """The different characters of text in UTF-8, rising."""
    return "".join(sorted(set(text.decode())))


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
