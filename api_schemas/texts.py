"""The texts that a job can name without an upload."""

from __future__ import annotations

from pydoc_data.topics import topics

import numpy as np


def python_reference(characters: int) -> bytes:
    """What Python's `help` says of the language, topic by topic, in UTF-8; every version of Python has its own.

    Args:
        characters: how many of them, from the first.
    """
    return "\n".join(topics[name] for name in sorted(topics))[:characters].encode()


def markov_text(n: int, seed: int, symbols: int, order: int, noise: float) -> bytes:
    """A chain of letters in which the next one follows from the last `order`, all of them, unless noise is in the way.

    The last letter but `order` - 1 is moved on by what a random table has for those in between. So whatever is known
    of fewer letters, all next ones are equally likely.

    Args:
        n: how many letters.
        seed: of the table and the chain.
        symbols: how many different letters there are.
        order: how many letters decide on the next.
        noise: chance that a letter is drawn at random instead.
    """
    rng = np.random.default_rng(seed)
    moves = rng.integers(symbols, size=symbols ** (order - 1)).tolist()
    drawn = rng.integers(symbols, size=n).tolist()
    is_drawn = (rng.random(n) < noise).tolist()
    letters = rng.integers(symbols, size=order).tolist()
    between = 0  # the letters but the oldest, as one number
    for letter in letters[1:]:
        between = between * symbols + letter
    for place in range(n):
        letters.append(drawn[place] if is_drawn[place] else (letters[place] + moves[between]) % symbols)
        between = (between * symbols + letters[-1]) % len(moves)
    return bytes(ord("a") + letter for letter in letters[order:])
