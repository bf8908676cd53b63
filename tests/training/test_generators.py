"""The generated datasets have the shape that their knobs say."""

import numpy as np
import pytest

from api_schemas.catalog.datasets import NamedDatasetEntry
from training.build import build


def test_a_rare_event_has_as_many_rows_as_asked_and_lies_as_far_away():
    x, y = build(NamedDatasetEntry.members()["rare_event"](n=100_000, rare=20_000, apart=5.0))
    assert np.bincount(y).tolist() == [80_000, 20_000]
    assert np.linalg.norm(x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)) == pytest.approx(5.0, abs=0.05)
    assert x[y == 1].std(axis=0) == pytest.approx([1.0, 1.0], abs=0.03)


def test_more_than_half_of_the_rows_cannot_be_rare():
    entry = NamedDatasetEntry.members()["rare_event"]
    assert entry(n=10, rare=5).class_counts == (5, 5)
    with pytest.raises(ValueError, match="at most 5"):
        entry(n=10, rare=6)
    with pytest.raises(ValueError, match="at most 19"):
        entry(n=39)
