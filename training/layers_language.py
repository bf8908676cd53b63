"""The layers of a language model."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_STD = 0.02
"""Standard deviation of embeddings before the first step, as Radford et al. 2019 have it."""


class TokenEmbedding(nn.Module):
    """Tokens (rows, length) to vectors (rows, length, width): one learned for each token, plus one for each place.

    Args:
        vocabulary: how many tokens there are.
        length: how many places a row has at most.
        width: of a vector.
    """

    def __init__(self, vocabulary: int, length: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(length, width)
        nn.init.normal_(self.tokens.weight, std=EMBEDDING_STD)
        nn.init.normal_(self.places.weight, std=EMBEDDING_STD)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.tokens(tokens) + self.places.weight[: tokens.shape[1]]


class CausalAttention(nn.Module):
    """Self-attention (rows, length, width) in which a place sees itself and those before it (Vaswani et al. 2017).

    Args:
        width: of the vectors.
        heads: how many parts of a vector look around by themselves; they divide the width.
        dropout: share of the attention that is set to 0 in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads, self._dropout = heads, dropout
        self.ask = nn.Linear(width, 3 * width)  # queries, keys and values
        self.answer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        asked = self.ask(x).unflatten(2, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = asked.unbind()  # (rows, heads, length, width / heads)
        dropout = self._dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=True)
        return self.answer(seen.transpose(1, 2).flatten(2))


class TiedScores(nn.Module):
    """Tokens (rows, length) to scores (rows, length, vocabulary): how near a vector is to each token's own.

    The embedding serves twice, which saves as many weights again (Press and Wolf 2017).

    Args:
        embedding: of the tokens.
        body: what is made of the vectors in between.
    """

    def __init__(self, embedding: TokenEmbedding, body: nn.Module) -> None:
        super().__init__()
        self.embedding, self.body = embedding, body

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.linear(self.body(self.embedding(tokens)), self.embedding.tokens.weight)
