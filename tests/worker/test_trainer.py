"""What a person is told when a worker cannot do what a training asks for."""

from __future__ import annotations

import threading
from multiprocessing import Pipe

from torch._inductor import config as inductor

from api_schemas.jobs import JobSpec
from tests.servers import wait_until
from training.events import Points
from worker.messages import Assignment, Failed, Ordered, Said, Saved, Task
from worker.trainer import train


def test_a_worker_without_a_compiler_says_so_before_the_first_step_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    spec = {"dataset": {"name": "iris"}, "model": {"name": "linear"}, "training": {"engine": "compiled"}}
    ours, theirs = Pipe()
    ours.send(assignment(spec, tmp_path))
    with inductor.patch({"cpp.cxx": (None, str(tmp_path / "no-compiler")), "compile_threads": 1}):
        train(theirs)
    said = []
    while ours.poll():
        said.append(ours.recv())
    assert isinstance(said[-1].word, Failed)
    error = said[-1].word.error
    assert error.code == "cannot_compile"
    assert "No working C++ compiler" in error.message
    assert "set training.engine to eager" in error.hint
    assert not any(isinstance(message, Said) and isinstance(message.word, Points) for message in said)


class AsksOnceMore:
    """A line whose other end orders a checkpoint as soon as it is told of one, which it has not yet stored then."""

    def __init__(self, first):
        self.said, self.missing, self._waiting = [], [], [first]

    def recv(self):
        return self._waiting.pop()

    def send(self, message):
        self.said.append(message)
        if isinstance(message, Said) and isinstance(message.word, Saved):
            self._waiting = [Ordered("job_1", "checkpoint")]
            threading.Timer(0.2, self._store, [message.word.path]).start()

    def poll(self, _patience_seconds=0.0):
        return bool(self._waiting)

    def _store(self, path):
        self.missing.append(not path.exists())
        path.unlink()


def test_a_checkpoint_is_written_once_the_one_before_is_stored(tmp_path):
    spec = {"dataset": {"name": "iris"}, "model": {"name": "linear"}, "training": {"checkpoint_every_steps": 1}}
    line = AsksOnceMore(assignment(spec, tmp_path))
    train(line)
    words = (message.word for message in line.said if isinstance(message, Said))
    first, second = (word for word in words if isinstance(word, Saved))
    assert first.steps_done == second.steps_done
    wait_until(lambda: len(line.missing) == 2, what="both to be stored")
    assert line.missing == [False, False]


def assignment(spec, folder):
    return Assignment(
        tasks=[Task("job_1", JobSpec.model_validate(spec), [], None)],
        dataset=None,
        arrays=None,
        folder=folder,
        device="cpu",
        gpu=None,
        threads=1,
        memory_bytes=None,
        compiled=folder / "compiled",
    )
