"""Tokens of byte pairs, learned from text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from training.data.tokens import Bytes

_LINES = 10_000
"""So many lines are cut into tokens at once: the library keeps some hundred bytes for each token meanwhile."""


class BytePairs:
    """A token is a byte, or two tokens that follow each other often (Sennrich et al. 2016; Radford et al. 2019).

    Args:
        rules: tokens and merges, as the library `tokenizers` writes them.
    """

    def __init__(self, rules: str) -> None:
        self.held = rules
        self._tokenizer = Tokenizer.from_str(rules)
        names = {place: name for name, place in self._tokenizer.get_vocab().items()}
        self.lengths = np.array([_characters(names[place]) for place in range(len(names))])

    def encode(self, text: bytes) -> np.ndarray:
        """The tokens (tokens,) of text in UTF-8; half a character at either end is left out."""
        lines = text.decode(errors="ignore").splitlines(keepends=True)
        parts = (lines[start : start + _LINES] for start in range(0, len(lines), _LINES))
        return np.concatenate([np.empty(0, np.int64), *(self._cut(part) for part in parts)])

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; what is no whole character becomes a replacement mark."""
        return self._tokenizer.decode(list(tokens))

    def _cut(self, lines: list[str]) -> np.ndarray:
        cut = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(lines)]
        return np.concatenate([np.array(ids, np.int64) for ids in cut])


def byte_pairs(text: bytes, vocab_size: int) -> BytePairs:
    """Learn from text in UTF-8 which tokens to merge: always the pair that is there most often.

    Args:
        text: of the training rows.
        vocab_size: how many tokens there shall be, the 256 bytes among them; a short text makes fewer.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    every_byte = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=every_byte, show_progress=False)
    tokenizer.train_from_iterator(text.decode(errors="ignore").splitlines(keepends=True), trainer)
    return BytePairs(tokenizer.to_str())


def _characters(name: str) -> int:
    """How many characters begin in a token of byte pairs, whose name stands for its bytes."""
    return int(Bytes.lengths[[_BYTES[letter] for letter in name]].sum())


def _byte_names() -> dict[str, int]:
    """The letter that names each byte: itself where it can be printed, else the next one from 256 on."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_names()
