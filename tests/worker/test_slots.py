"""A wake-up is answered by a free slot, and none is lost between two that are busy."""

from __future__ import annotations

import queue
import random
import threading
import time

import pytest

from api_schemas.jobs import JobSpec
from storage.settings import Settings
from worker.slots import Slot, Slots, find_slots


def make_slots(count):
    return Slots([Slot(number, "cpu", 1) for number in range(count)])


def test_whatever_comes_in_is_worked_on_however_wake_ups_and_ends_cross():
    """Each job is put down before its wake-up, as a submit does; nobody wakes twice."""
    slots, waiting, done = make_slots(2), queue.Queue(), []

    def train_one(_slot):
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return False
        time.sleep(random.random() / 2000)
        done.append(job)
        return True

    threads = []
    for job in range(500):
        waiting.put(job)
        threads.append(threading.Thread(target=slots.work, args=(train_one,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(500))


def test_a_wake_up_that_comes_while_the_last_slot_finds_nothing_is_answered_by_it():
    slots, looked = make_slots(1), []

    def train_one(slot):
        looked.append(slot)
        if len(looked) == 1:
            slots.work(train_one)  # finds no slot free
        return False

    slots.work(train_one)
    assert len(looked) == 2


def test_no_more_is_trained_at_a_time_than_there_are_slots():
    slots, at_work, most = make_slots(3), [], []
    left = list(range(30))

    def train_one(slot):
        if not left:
            return False
        left.pop()
        at_work.append(slot.number)
        most.append(len(at_work))
        assert len(set(at_work)) == len(at_work)
        time.sleep(0.002)
        at_work.remove(slot.number)
        return True

    threads = [threading.Thread(target=slots.work, args=(train_one,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 3
    assert left == []


def test_a_slot_is_free_again_after_a_fault():
    slots = make_slots(1)

    def fails(_slot):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        slots.work(fails)
    seen = []
    slots.work(lambda slot: bool(seen.append(slot.number)))
    assert seen == [0]


def test_gpus_are_dealt_out_one_to_a_slot(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    slots = find_slots(Settings())
    assert [slot.gpu for slot in slots] == ["0", "3"]
    assert {slot.device for slot in slots} == {"cuda"}
    assert slots[0].devices == ["cuda", "cpu"]


@pytest.fixture
def a_mac(monkeypatch):
    """What a Mac with Apple's processor says of itself; none is at hand here."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")


def test_a_mac_trains_one_job_at_a_time_on_its_gpu_and_what_needs_float64_beside_it(a_mac):
    (slot,) = find_slots(Settings())
    assert slot.devices == ["mps", "cpu"]
    assert slot.device_for(job()) == "mps"
    assert slot.device_for(job(training={"precision": "float64"})) == "cpu"
    assert slot.device_for(job(resources={"device": "cpu"})) == "cpu"


def test_a_job_trains_where_it_asks_to_and_else_on_the_gpu():
    slot = Slot(0, "cuda", 1, "0")
    assert slot.device_for(job(training={"precision": "float64"})) == "cuda"
    assert slot.device_for(job(resources={"device": "cpu"})) == "cpu"


def job(**fields):
    return JobSpec.model_validate({"dataset": {"name": "iris"}, **fields})


def test_without_a_gpu_cores_are_shared_out(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    slots = find_slots(Settings(workers=3, threads=2))
    assert [(slot.device, slot.threads) for slot in slots] == [("cpu", 2)] * 3
