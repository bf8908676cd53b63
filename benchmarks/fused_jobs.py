"""Many small jobs trained together, against the same jobs one after the other.

Digits, an MLP of two hidden layers with batch norm, batches of 32, Adam, each job with a learning rate of its own.
Processor time of one thread, in turns. The base is the hand-tuned loop of `one_job.py`, a job at a time.

    python benchmarks/fused_jobs.py [--hidden 32 128 512] [--jobs 8 32 128] [--rounds 30] [--device cuda]
"""

from __future__ import annotations

import argparse

import torch
from one_job import hand_tuned, job
from turns import Advance, microseconds, take_turns, times_as_fast

from training.data.prepare import Data
from training.fused import Group
from training.loop import Run

BATCH_SIZE = 32
MANY = 4
"""Times the widest hidden layer that gains much; of wider ones fewer are put together."""


def together(count: int, hidden: int, device: torch.device) -> Advance:
    """Jobs of which each has its own seed and learning rate."""
    runs: list[Run] = []
    data: Data | None = None
    model = {"name": "mlp", "hidden": [hidden, hidden], "normalization": {"name": "batch_norm"}}
    for seed in range(count):
        plan, own = job(BATCH_SIZE, model=model, optimizer={"name": "adam", "lr": 1e-3 * (1 + seed / 100)})
        data = data or own
        runs.append(Run(plan.spec, plan, data, device))
    events = Group(runs).events()

    def advance() -> int:
        before = sum(run.steps_done for run in runs)
        for _ in runs:
            next(events)
        return sum(run.steps_done for run in runs) - before

    return advance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--jobs", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(asked.device)
    print(f"torch {torch.__version__}, {asked.device}, one thread, {asked.rounds} rounds\n")
    print("| hidden | jobs | microseconds a step and job | times as fast (quartiles) |\n| --- | --- | --- | --- |")
    for hidden in asked.hidden:
        tuned = hand_tuned(job(BATCH_SIZE)[1], BATCH_SIZE, device, hidden)
        counts = [count for count in asked.jobs if count * hidden <= MANY * 128 * 32]
        loops: dict[str, Advance] = {"1": lambda tuned=tuned: next(tuned) or 1}
        taken = take_turns(loops | {str(count): together(count, hidden, device) for count in counts}, asked.rounds)
        print(f"| {hidden} | one after the other, hand-tuned | {microseconds(taken['1'])} | 1 |")
        for count in map(str, counts):
            print(f"| {hidden} | {count} | {microseconds(taken[count])} | {times_as_fast(taken, count, '1')} |")


if __name__ == "__main__":
    main()
