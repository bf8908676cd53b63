"""The problem of Adagrad, by the jobs in examples/ that show it.

Nearly all rows of `rare_event` are of one class. A few steps teach it, then 600 and more gradients are almost 0, then
one of the two rare rows comes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.truth.descent import descend, entry_of
from training.loop import Points

EXAMPLES = Path(__file__).parents[2] / "examples"
EVENT = 679
"""The step of the first rare row; seed and dataset alone decide it."""


@pytest.fixture
def curve(make_run):
    """The loss of every step of an example, with some of its fields changed."""

    def of(example, **changed):
        job = json.loads((EXAMPLES / f"{example}.json").read_text())
        run = make_run(**job | changed)
        return np.array(
            [loss for told in run.events() if isinstance(told, Points) for loss in told.series["train/loss"]]
        )

    return of


def flat_event_after(losses):
    """The largest loss of the flat stretch, the loss of the event, the largest loss of the twenty steps after it."""
    return losses[EVENT - 400 : EVENT].max(), losses[EVENT], losses[EVENT + 1 : EVENT + 21].max()


@pytest.mark.parametrize(("name", "rates"), [("adagrad_rms", 31.6), ("adagrad", 1.0)])
def test_after_a_thousand_tiny_gradients_one_of_1_moves_a_weight_by_so_many_learning_rates(name, rates):
    path = descend(
        entry_of(name=name, lr=0.01),
        lambda step, _: torch.tensor([0.001 if step < 1000 else 1.0], dtype=torch.float64),
        np.zeros(1),
        1001,
    )
    assert (path[-2, 0] - path[-1, 0]) / 0.01 == pytest.approx(rates, rel=0.005)


def test_the_mean_form_bursts_after_a_flat_stretch(curve):
    """Its divisor is the mean of 679 tiny squares: the event's step is long enough to unlearn all other rows."""
    flat, event, after = flat_event_after(curve("problem-of-adagrad"))
    assert flat < 0.01
    assert event == pytest.approx(2.5, abs=0.1)
    assert after > 30


def test_with_decay_it_does_not(curve):
    flat, event, after = flat_event_after(curve("problem-of-adagrad-decayed"))
    assert flat < 0.01
    assert event == pytest.approx(1.7, abs=0.1)
    assert after < 0.03


def test_the_adagrad_of_pytorch_does_not(curve):
    flat, event, after = flat_event_after(curve("problem-of-adagrad-torch"))
    assert flat < 0.01
    assert event == pytest.approx(1.7, abs=0.1)
    assert after < 0.03


def test_the_mean_form_decaying_by_the_root_of_time_is_the_adagrad_of_pytorch(curve):
    """All but their eps of 1e-10, which one adds to the root of the mean and the other to the root of the sum."""
    exact = {"training": {"epochs": 1, "batch_size": 4, "seed": 2, "precision": "float64"}}
    decayed, torchs = (curve(f"problem-of-adagrad-{form}", **exact) for form in ("decayed", "torch"))
    np.testing.assert_allclose(decayed, torchs, rtol=1e-7)


def test_decay_as_one_over_time_mends_it_too(curve):
    schedule = [{"name": "one_over_t", "decay": 0.05, "unit": "step"}]
    _, _, after = flat_event_after(curve("problem-of-adagrad", schedule=schedule))
    assert after < 0.03
