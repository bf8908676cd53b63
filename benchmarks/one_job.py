"""Steps of one job, everything recorded and told, beside loops that a person would write.

Digits, an MLP 64-128-128-10 with batch norm, and Adam. Processor time of one thread is taken, in turns. The base is a
hand-tuned loop: tensors in memory, rows by a permutation, torch's fused Adam, nothing measured and nothing kept.

    python benchmarks/one_job.py [--batches 32 128 1024] [--rounds 50] [--compiled] [--device cuda]
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from turns import Advance, microseconds, take_turns, times_as_fast

from api_schemas.jobs import JobSpec
from api_schemas.plan import Plan, make_plan
from training.data.prepare import Data, prepare
from training.loop import Run

FLUSH_SECONDS = 0.1
WIDTH = 128


def job(batch_size: int, engine: str = "auto", **changes: object) -> tuple[Plan, Data]:
    """A run that never ends."""
    training = {
        "batch_size": batch_size,
        "epochs": 1_000_000,
        "evaluate_every_epochs": 1_000_000,
        "checkpoint_every_steps": 10**9,
        "engine": engine,
    }
    model = {"name": "mlp", "hidden": [WIDTH, WIDTH], "normalization": {"name": "batch_norm"}}
    plan = make_plan(
        JobSpec.model_validate({"dataset": {"name": "digits"}, "model": model, "training": training, **changes}), None
    )
    return plan, prepare(plan.spec, None, None)


def anneal(batch_size: int, engine: str, device: torch.device) -> Advance:
    """Goes on to the run's next word."""
    plan, data = job(batch_size, engine)
    run = Run(plan.spec, plan, data, device)
    events = run.events(FLUSH_SECONDS)

    def advance() -> int:
        before = run.steps_done
        next(events)
        return run.steps_done - before

    return advance


def network(data: Data, width: int = WIDTH) -> torch.nn.Sequential:
    """As an expert writes it."""
    layers: list[torch.nn.Module] = []
    for width_in, width_out in ((data.inputs, width), (width, width)):
        layers += [torch.nn.Linear(width_in, width_out), torch.nn.BatchNorm1d(width_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, data.outputs))


def hand_tuned(data: Data, batch_size: int, device: torch.device, width: int = WIDTH) -> Iterator[None]:
    """Rows by a permutation, fused Adam, no loss kept, no gradient norm, no schedule."""
    model = network(data, width).to(device)
    rows, targets = data.train.x.to(device), data.train.y.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    while True:
        for batch in torch.randperm(len(rows), device=device).split(batch_size):
            loss = functional.cross_entropy(model(rows.index_select(0, batch)), targets.index_select(0, batch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def with_a_loader(data: Data, batch_size: int, device: torch.device) -> Iterator[None]:
    """As most write it: a DataLoader, plain Adam, and the loss of every step as a number."""
    model = network(data).to(device)
    loader = DataLoader(TensorDataset(data.train.x, data.train.y), batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses: list[float] = []
    while True:
        for x, y in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            yield


def scikit_learn(data: Data, batch_size: int) -> Advance:
    """MLPClassifier, an epoch at a time; it knows no batch norm."""
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - a peer

    model = MLPClassifier((WIDTH, WIDTH), batch_size=batch_size, max_iter=1, warm_start=True, shuffle=True)
    x, y = data.train.x.numpy(), data.train.y.numpy()

    def advance() -> int:
        with warnings.catch_warnings(action="ignore"):  # that one epoch does not converge
            model.fit(x, y)
        return -(-len(x) // batch_size)

    return advance


def jax(data: Data, batch_size: int) -> Advance:
    """A whole epoch in one compiled scan."""
    import jax  # noqa: PLC0415 - a peer
    import jax.numpy as jnp  # noqa: PLC0415
    import optax  # noqa: PLC0415

    x, y = jnp.asarray(data.train.x.numpy()), jnp.asarray(data.train.y.numpy())
    key = jax.random.PRNGKey(0)
    widths = (data.inputs, WIDTH, WIDTH, data.outputs)
    weights = [
        (jax.random.normal(key, (i, o)) / i**0.5, jnp.zeros(o), jnp.ones(o), jnp.zeros(o))
        for i, o in itertools.pairwise(widths)
    ]
    optimizer = optax.adam(1e-3)

    def loss(weights: list, rows: object, targets: object) -> object:
        for place, (w, b, scale, shift) in enumerate(weights):
            rows = rows @ w + b
            if place < len(weights) - 1:
                mean, var = rows.mean(0), rows.var(0)
                rows = jnp.maximum((rows - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift, 0)
        return optax.softmax_cross_entropy_with_integer_labels(rows, targets).mean()

    def step(carry: tuple, batch: object) -> tuple:
        weights, state = carry
        value, slope = jax.value_and_grad(loss)(weights, x[batch], y[batch])
        changes, state = optimizer.update(slope, state)
        return (optax.apply_updates(weights, changes), state), value

    steps = len(x) // batch_size

    @jax.jit
    def epoch(carry: tuple, key: object) -> tuple:
        order = jax.random.permutation(key, len(x))[: steps * batch_size].reshape(steps, batch_size)
        return jax.lax.scan(step, carry, order)

    state = [(weights, optimizer.init(weights)), key]

    def advance() -> int:
        state[1], own = jax.random.split(state[1])
        state[0], losses = epoch(state[0], own)
        losses.block_until_ready()
        return steps

    return advance


def loops(batch_size: int, device: torch.device, compiled: bool) -> dict[str, Advance]:
    """Everything that takes turns."""
    _, data = job(batch_size)
    tuned, usual = hand_tuned(data, batch_size, device), with_a_loader(data, batch_size, device)
    found: dict[str, Advance] = {
        "hand-tuned": lambda: next(tuned) or 1,
        "with a DataLoader": lambda: next(usual) or 1,
        "Anneal, eager": anneal(batch_size, "eager", device),
        "Anneal, auto": anneal(batch_size, "auto", device),
    }
    if compiled:
        found["Anneal, compiled"] = anneal(batch_size, "compiled", device)
    peers: dict[str, Callable[[Data, int], Advance]] = {"scikit-learn, no batch norm": scikit_learn, "JAX": jax}
    for name, peer in peers.items() if device.type == "cpu" else ():
        try:
            found[name] = peer(data, batch_size)
        except ImportError as error:
            print(f"without {name}: {error}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 1024])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--compiled", action="store_true", help="compile one too, which takes a minute")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {asked.device}, one thread, {asked.rounds} rounds\n")
    print("| batch | loop | microseconds a step | times as fast as hand-tuned (quartiles) |\n| --- | --- | --- | --- |")
    for batch_size in asked.batches:
        taken = take_turns(loops(batch_size, torch.device(asked.device), asked.compiled), asked.rounds)
        for name, seconds in taken.items():
            print(f"| {batch_size} | {name} | {microseconds(seconds)} | {times_as_fast(taken, name, 'hand-tuned')} |")


if __name__ == "__main__":
    main()
