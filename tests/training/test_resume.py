"""Killed anywhere and however often, a run ends with the weights and the curve of one that never was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import torch
from torch._inductor import config as inductor

from api_schemas.catalog import FAMILIES
from api_schemas.jobs import Training
from tests.kills import Kill, Whole, attempt, drawn, whole
from tests.resumable import (
    FEATURES,
    KINDS,
    UPLOADS,
    begin,
    catalog_jobs,
    chosen_jobs,
    compiled_jobs,
    jobs,
    longer_jobs,
    names_within,
)

KILLS = 6
SETS = {
    **{kind: partial(catalog_jobs, kind) for kind in KINDS},
    "features": lambda: FEATURES,
    "uploads": lambda: UPLOADS,
    "longer": longer_jobs,
    "choices": chosen_jobs,
    "compiled": lambda: compiled_jobs() if which("g++") else [],
}


def test_everything_that_a_job_can_name_is_killed_here():
    specs = [*jobs().values(), *(case.spec for case in UPLOADS.values())]
    named = {name for spec in specs for name in names_within(spec)}
    assert {name for family in FAMILIES.values() for name in family.names()} - named == {"sparse_adam"}


def test_every_knob_of_training_is_turned_by_a_job_that_is_killed_here():
    turned = {knob for job in [*jobs().values(), *compiled_jobs().values()] for knob in job["training"]}
    assert turned == set(Training.model_fields)


@pytest.mark.parametrize("name", [*jobs(), *UPLOADS])
def test_a_run_that_is_killed_ends_as_the_one_that_never_was(name, tmp_path):
    begun = partial(begin, name, tmp_path)
    one = whole(begun, tmp_path)
    (kill,) = drawn(one.told, 1, random.Random(name))
    before, _ = attempt(begun, tmp_path, 0, kill)
    assert before == one.told[: kill.died]
    for seed in (torch.manual_seed, np.random.seed, random.seed):  # as another process would have them
        seed(kill.saved)
    after, end = attempt(begun, tmp_path, kill.saved)
    assert after == one.told[kill.saved :]
    assert end == one.end


@pytest.mark.verify
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("which_jobs", SETS)
def test_a_run_that_is_killed_again_and_again_ends_the_same_each_time_in_a_process_of_its_own(which_jobs, tmp_path):
    names = list(SETS[which_jobs]())
    wholes = dict(zip(names, in_a_process(play_whole, names, tmp_path / "whole"), strict=True))
    kills = {name: drawn(one.told, KILLS, random.Random(name)) for name, one in wholes.items()}
    for turn in range(KILLS + 1):
        starts = [kills[name][turn - 1].saved if turn else 0 for name in names]
        deaths = [kills[name][turn] if turn < KILLS else None for name in names]
        for name, start, kill, (told, end) in zip(
            names, starts, deaths, in_a_process(play, names, tmp_path, starts, deaths), strict=True
        ):
            assert told == wholes[name].told[start : kill.died if kill else None], (name, turn)
            assert kill or end == wholes[name].end, name


def in_a_process(play, *args):
    """What a function answers in a process that begins with it and ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        return pool.submit(play, *args).result()


def play_whole(names: Sequence[str], folder: Path) -> list[Whole]:
    """Runs that nobody kills."""
    settle()
    return [whole(partial(begin, name, own(folder, name)), own(folder, name)) for name in names]


def play(
    names: Sequence[str], folder: Path, starts: Sequence[int], kills: Sequence[Kill | None]
) -> list[tuple[list[str], str]]:
    """An attempt of each job."""
    settle()
    return [
        attempt(partial(begin, name, own(folder, name)), own(folder, name), start, kill)
        for name, start, kill in zip(names, starts, kills, strict=True)
    ]


def settle() -> None:
    torch.set_num_threads(1)
    inductor.compile_threads = 1


def own(folder: Path, name: str) -> Path:
    place = folder / name.replace(" ", "_")
    place.mkdir(parents=True, exist_ok=True)
    return place
