"""What recording costs: a training step with everything recorded and told, against the same step without.

Three loops train the same network on the same rows, a short slice of steps each in turn, so that fast and slow spells
of the machine hit all alike: a hand-tuned one as an expert writes it, Anneal's own with its recording taken out, and
Anneal's own. Processor time is taken, so that neighbours count less. The goal is a recorded step within 1.05 of the
unrecorded one.

    python benchmarks/recording_cost.py [--batches 32 128 1024] [--rounds 200] [--threads 1]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from api_schemas.jobs import JobSpec
from api_schemas.plan import Plan, make_plan
from training.data.prepare import Data, prepare
from training.events import Points
from training.loop import Run

SLICE_SECONDS = 0.1
FLUSH_SECONDS = 0.1


class Unrecorded(Run):
    """Anneal's loop that measures and tells nothing."""

    def _record(self, loss: Tensor, values: Sequence[float]) -> Tensor:
        return loss

    def _tell(self) -> Iterator[Points]:
        yield Points(0, {})


def make(batch_size: int) -> tuple[Plan, Data]:
    """Digits and an MLP 64-128-128-10 with batch norm and Adam; enough epochs never to end."""
    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "digits"},
            "model": {"name": "mlp", "normalization": {"name": "batch_norm"}},
            "training": {
                "batch_size": batch_size,
                "epochs": 1_000_000,
                "evaluate_every_epochs": 1_000_000,
                "checkpoint_every_steps": 10**9,
            },
        }
    )
    plan = make_plan(spec, None)
    return plan, prepare(plan.spec, None, None)


def hand_tuned(plan: Plan, data: Data) -> Iterator[None]:
    """Rows by a permutation, fused Adam, no loss kept, no gradient norm, no schedule."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for width_in, width in ((data.inputs, 128), (128, 128)):
        layers += [torch.nn.Linear(width_in, width), torch.nn.BatchNorm1d(width), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(128, data.outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    while True:
        order = torch.randperm(plan.train_rows)
        for rows in order.split(plan.spec.training.batch_size):
            x, y = data.train.x.index_select(0, rows), data.train.y.index_select(0, rows)
            loss = functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def slice_of(advance: Callable[[], int]) -> float:
    """Processor seconds a step; `advance` does some steps and says how many."""
    started, count = time.process_time(), 0
    while (elapsed := time.process_time() - started) < SLICE_SECONDS:
        count += advance()
    return elapsed / count


def loop_of(run: Run) -> Callable[[], int]:
    """Goes on to the run's next word."""
    events = run.events(FLUSH_SECONDS)

    def advance() -> int:
        before = run.steps_done
        next(events)
        return run.steps_done - before

    return advance


def measure(batch_size: int, rounds: int) -> dict[str, list[float]]:
    """Processor seconds a step of each loop, one for each round."""
    plan, data = make(batch_size)
    steps = hand_tuned(plan, data)
    loops = {
        "hand-tuned": lambda: next(steps) or 1,
        "unrecorded": loop_of(Unrecorded(plan.spec, plan, data, torch.device("cpu"))),
        "recorded": loop_of(Run(plan.spec, plan, data, torch.device("cpu"))),
    }
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 2):
        for name, advance in random.sample(list(loops.items()), len(loops)):
            seconds = slice_of(advance)
            if turn >= 2:  # the first turns warm up
                taken[name].append(seconds)
    return taken


def ratio(taken: dict[str, list[float]], base: str) -> str:
    """Median and quartiles of recorded over `base`, round by round."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(taken["recorded"], taken[base], strict=True)], n=4)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128, 1024])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"torch {torch.__version__}, {asked.threads} thread(s), {asked.rounds} rounds; microseconds a step, medians")
    print(
        f"{'batch':>5} {'hand-tuned':>10} {'unrecorded':>10} {'recorded':>8} {'/ hand-tuned':>20} {'/ unrecorded':>20}"
    )
    for batch_size in asked.batches:
        taken = measure(batch_size, asked.rounds)
        usual, same, told = (statistics.median(seconds) * 1e6 for seconds in taken.values())
        ratios = f"{ratio(taken, 'hand-tuned'):>20} {ratio(taken, 'unrecorded'):>20}"
        print(f"{batch_size:5} {usual:10.0f} {same:10.0f} {told:8.0f} {ratios}")


if __name__ == "__main__":
    main()
