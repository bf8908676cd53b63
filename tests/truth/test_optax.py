"""The optimizers against optax, the other large library of them, written in JAX."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.truth.descent import descend, entry_of

STEPS = 300
SIZE = 20


def quadratic():
    """Curvature, minimum and start of a random bowl; the ratio of its steepest to its flattest curvature is 6,000."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(SIZE, SIZE))
    return root @ root.T / SIZE, rng.normal(size=SIZE), rng.normal(size=SIZE)


@pytest.fixture(scope="module")
def optax():
    """JAX in double precision, and what its optax makes of the bowl."""
    import jax  # here, so that only who runs these tests waits for it

    jax.config.update("jax_enable_x64", True)
    import optax

    def descend_there(transformation):
        curvature, minimum, start = (jax.numpy.array(part) for part in quadratic())

        @jax.jit
        def step(weight, state):
            updates, state = transformation.update(curvature @ (weight - minimum), state, weight)
            return optax.apply_updates(weight, updates), state

        weight, state = start, transformation.init(start)
        path = np.empty((STEPS, SIZE))
        for index in range(STEPS):
            weight, state = step(weight, state)
            path[index] = weight
        return path

    return SimpleNamespace(descend=descend_there, library=optax)


def descend_here(entry):
    curvature, minimum, start = quadratic()
    slope, bottom = torch.tensor(curvature), torch.tensor(minimum)
    return descend(entry, lambda _, weight: slope @ (weight - bottom), start, STEPS)


SAME = {
    "sgd": ({"name": "sgd", "lr": 0.05}, lambda o: o.sgd(0.05)),
    "sgd with L2": (
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
        lambda o: o.chain(o.add_decayed_weights(0.1), o.sgd(0.05, momentum=0.9)),
    ),
    "momentum": ({"name": "sgd", "lr": 0.05, "momentum": 0.9}, lambda o: o.sgd(0.05, momentum=0.9)),
    "nesterov": (
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True},
        lambda o: o.sgd(0.05, momentum=0.9, nesterov=True),
    ),
    "adagrad": (
        {"name": "adagrad", "lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-30},
        lambda o: o.adagrad(0.1, initial_accumulator_value=0.1, eps=0.0),
    ),
    "rmsprop": (
        {"name": "rmsprop", "lr": 0.003, "alpha": 0.99},
        lambda o: o.rmsprop(0.003, decay=0.99, eps_in_sqrt=False),
    ),
    "rmsprop, centered, momentum": (
        {"name": "rmsprop", "lr": 0.003, "alpha": 0.99, "centered": True, "momentum": 0.9},
        lambda o: o.rmsprop(0.003, decay=0.99, eps_in_sqrt=False, centered=True, momentum=0.9),
    ),
    "adadelta": (
        {"name": "adadelta", "lr": 1.0, "rho": 0.9, "eps": 1e-6},
        lambda o: o.adadelta(1.0, rho=0.9, eps=1e-6),
    ),
    "adam": ({"name": "adam", "lr": 0.01}, lambda o: o.adam(0.01)),
    "adamw": ({"name": "adamw", "lr": 0.01, "weight_decay": 0.1}, lambda o: o.adamw(0.01, weight_decay=0.1)),
    "adamax": ({"name": "adamax", "lr": 0.01}, lambda o: o.adamax(0.01)),
    "radam": ({"name": "radam", "lr": 0.01, "eps": 1e-30}, lambda o: o.radam(0.01, eps=1e-30)),
    "lion": (
        {"name": "lion", "lr": 0.01, "betas": [0.9, 0.99], "weight_decay": 0.1},
        lambda o: o.lion(0.01, weight_decay=0.1),
    ),
    "adabelief": (
        {"name": "adabelief", "lr": 0.01, "eps": 1e-16, "weight_decay": 0.0, "rectify": False},
        lambda o: o.adabelief(0.01, eps=1e-16, eps_root=1e-16),
    ),
    "yogi": (
        {"name": "yogi", "lr": 0.01, "eps": 1e-3, "initial_accumulator": 1e-6, "weight_decay": 0.0},
        lambda o: o.yogi(0.01, eps=1e-3),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), SAME.values(), ids=SAME)
def test_300_steps_are_those_of_optax(optax, ours, theirs):
    """They agree to rounding where both are told the same conventions.

    RMSprop is asked of optax with eps outside the root, where PyTorch has it. PyTorch's Adagrad adds eps outside the
    root and optax inside, and PyTorch's RAdam adds it before the bias correction and optax after: there eps is next
    to nothing. RMSprop's rate is small enough to stay clear of the bottom, where it jumps to and fro for ever and
    rounding decides which way. NAdam and Rprop are not here: PyTorch schedules the momentum of the one, and optax
    takes each step of the other one gradient late.
    """
    there = optax.descend(theirs(optax.library))
    here = descend_here(entry_of(**ours))
    assert np.abs(there[-1] - there[0]).max() > 0.1
    np.testing.assert_allclose(here, there, rtol=0, atol=5e-14)
