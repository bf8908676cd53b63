"""Leaving a run and taking it up again, and the model that it leaves behind."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn import datasets as sklearn_datasets

from api_schemas.catalog.layers import InputShape
from api_schemas.jobs import JobSpec
from training.build import build_model
from training.checkpoint import UnreadableCheckpoint, load_state, save_state
from training.loop import Evaluation

EVERYTHING = {
    "split": {"test": 0.1},
    "model": {"name": "mlp", "hidden": [16, 8], "normalization": {"name": "batch_norm"}, "dropout": 0.3},
    "schedule": [{"name": "linear_warmup", "steps": 6}, {"name": "cosine"}],
}
TRAINING = {
    "epochs": 6,
    "batch_size": 16,
    "checkpoint_every_steps": 11,
    "early_stopping": {"patience": 50},
    "gradient_clip_norm": 1.0,
}


def test_a_run_may_be_left_at_any_event_and_nothing_is_told_twice(make_run, tmp_path):
    job = {**EVERYTHING, "training": {**TRAINING, "epochs": 3}}
    wanted = list(make_run(**job).events(flush_seconds=0))
    run, found = make_run(**job), []
    while True:
        event = next(run.events(flush_seconds=0), None)
        if event is None:
            break
        found.append(event)
        run.save(tmp_path / "checkpoint")
        run = make_run(**job)
        run.restore(tmp_path / "checkpoint")
    assert found == wanted


def test_a_resumed_run_stops_early_where_the_whole_one_does(make_run, tmp_path):
    stop = {"metric": "val/accuracy", "patience": 3}
    job = {"optimizer": {"name": "sgd", "lr": 1e-9}, "training": {"early_stopping": stop}}
    run = make_run(**job)
    judged = (event for event in run.events() if isinstance(event, Evaluation))
    next(judged), next(judged)
    run.save(tmp_path / "checkpoint")
    again = make_run(**job)
    again.restore(tmp_path / "checkpoint")
    assert len([event for event in again.events() if isinstance(event, Evaluation)]) == 2


def test_a_finished_run_has_nothing_more_to_tell(make_run, tmp_path):
    run = make_run(training={"epochs": 2})
    list(run.events())
    run.save(tmp_path / "checkpoint")
    again = make_run(training={"epochs": 2})
    again.restore(tmp_path / "checkpoint")
    assert list(again.events()) == []
    assert again.save_model(tmp_path / "a") == run.save_model(tmp_path / "b")


def test_a_checkpoint_of_another_run_is_refused_and_of_another_name_taken(make_run, tmp_path):
    make_run(name="first").save(tmp_path / "checkpoint")
    make_run(name="second", resources={"priority": 3}).restore(tmp_path / "checkpoint")
    with pytest.raises(UnreadableCheckpoint, match="another run"):
        make_run(optimizer={"name": "adam", "lr": 0.1}).restore(tmp_path / "checkpoint")


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:20], lambda b: b[:0], lambda b: b"\xff" * len(b)])
def test_a_damaged_checkpoint_is_refused(make_run, tmp_path, damage):
    path = tmp_path / "checkpoint"
    make_run().save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnreadableCheckpoint, match="no whole checkpoint"):
        make_run().restore(path)


def test_a_checkpoint_that_is_not_there_is_refused(make_run, tmp_path):
    with pytest.raises(UnreadableCheckpoint):
        make_run().restore(tmp_path / "none")


def test_a_tensor_that_lies_otherwise_in_memory_has_its_own_shape_in_the_file_and_its_own_order_afterwards(tmp_path):
    across, along = torch.arange(6.0).reshape(2, 3).t(), torch.arange(24.0).reshape(2, 3, 2, 2)
    along = along.to(memory_format=torch.channels_last)
    state = {"a": across, "again": across, "b": [along]}
    save_state(tmp_path / "checkpoint", state, "run", {"0.weight": across})
    stored = load_file(tmp_path / "checkpoint")
    assert set(stored) == {"weights/0.weight", "1"}
    assert np.array_equal(stored["weights/0.weight"], across.numpy())
    back = load_state(tmp_path / "checkpoint", "run")
    assert back["a"] is back["again"]
    for found, wanted in ((back["a"], across), (back["b"][0], along)):
        assert torch.equal(found, wanted)
        assert found.stride() == wanted.stride()


def test_a_checkpoint_of_another_format_is_refused(make_run, tmp_path):
    save_file({"0": np.zeros(3)}, tmp_path / "checkpoint", {"run": "{}", "layout": '{"state": [], "tensors": []}'})
    with pytest.raises(UnreadableCheckpoint, match="this version"):
        make_run().restore(tmp_path / "checkpoint")


def test_a_save_that_fails_leaves_the_old_checkpoint_and_no_litter(make_run, tmp_path, monkeypatch):
    run, path = make_run(), tmp_path / "checkpoint"
    run.save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        run.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]


def test_a_model_file_holds_all_that_a_prediction_needs(make_run, tmp_path):
    """What the file says is enough to reach the run's accuracy from raw columns, in plain numpy and torch."""
    run = make_run(dataset={"name": "wine"}, model=EVERYTHING["model"], training={"epochs": 10})
    last = [event for event in run.events() if isinstance(event, Evaluation)][-1]
    taken = run.save_model(tmp_path / "model.safetensors")
    arrays = load_file(tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        metadata = file.metadata()
    preparation = json.loads(metadata["preparation"])
    bunch = sklearn_datasets.load_wine()
    assert [column["name"] for column in preparation["columns"]] == bunch.feature_names
    x = (bunch.data - arrays["preparation/numeric.shift"]) / arrays["preparation/numeric.scale"]
    model = build_model(JobSpec.model_validate_json(metadata["spec"]).model, InputShape(13), 3).eval()
    weights = {name[8:]: torch.from_numpy(a) for name, a in arrays.items() if name.startswith("weights/")}
    model.load_state_dict(weights)
    with torch.no_grad():
        predicted = model(torch.from_numpy(x).float()).argmax(dim=1).numpy()
    rows = np.abs(x[:, None].astype(np.float32) - run._data.validation.x.numpy()[None]).sum(axis=2).argmin(axis=0)
    assert (predicted[rows] == bunch.target[rows]).mean() == pytest.approx(last.values["val/accuracy"])
    by_hand = hashlib.sha256()
    for name in sorted(weights):
        by_hand.update(f"{name} {weights[name].dtype} {list(weights[name].shape)}\n".encode())
        by_hand.update(weights[name].numpy().tobytes())
    assert taken == metadata["weights_sha256"] == by_hand.hexdigest()
