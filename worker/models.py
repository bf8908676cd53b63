"""Questions about models: claimed, put to a process that can answer, and their answers stored."""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from api_schemas.errors import Fault
from api_schemas.model_tasks import Export, PredictFile
from api_schemas.predictions import Prediction
from storage.artifacts import Artifacts, blocks_of
from storage.database import Database
from storage.model_tasks import ClaimedTask, Outcome, claim_task, finish_task
from storage.scratch import scratch_folder
from storage.settings import Settings
from worker.messages import Question, Written
from worker.process import Child

log = structlog.get_logger()

Answer = Prediction | Written | list[Fault]

SERVE = "worker.server:serve"
ANSWER_SECONDS = 600.0
"""How long an answer may take."""


class Desk:
    """Answers questions about models.

    Predictions are made one at a time, by a child that keeps recent models loaded; an export has a child of its own.

    Args:
        database: where the questions are.
        artifacts: where the models are, and where answers go that are files.
        settings: of the worker.
        threads: that the child may use.
    """

    def __init__(self, database: Database, artifacts: Artifacts, settings: Settings, threads: int) -> None:
        self._database, self._artifacts, self._settings, self._threads = database, artifacts, settings, threads
        self._server: Child | None = None
        self._turn = threading.Lock()

    def answer(self, task_id: str) -> None:
        """Answer a question, unless another worker does."""
        claimed = claim_task(self._database, task_id, ANSWER_SECONDS)
        if claimed is None:
            return
        with scratch_folder(self._settings, f"{task_id}-") as folder:
            outcome = self._outcome(claimed, folder / "answer")
        finish_task(self._database, claimed, outcome)
        log.info("model_task_done", task=task_id, job=claimed.job_id, outcome=type(outcome).__name__)

    def end(self) -> None:
        """Let the child go."""
        if self._server is not None:
            self._server.kill()
            self._server.end(0)
            self._server = None

    def _outcome(self, claimed: ClaimedTask, output: Path) -> Outcome:
        try:
            question = self._question(claimed, output)
        except FileNotFoundError:
            return [_LOST]
        # An export takes seconds and much memory, which predictions shall not wait for and a process not keep.
        answer = _once(question) if isinstance(claimed.asked, Export) else self._ask(question)
        return self._artifacts.put(blocks_of(answer.path)) if isinstance(answer, Written) else answer

    def _question(self, claimed: ClaimedTask, output: Path) -> Question:
        asked = claimed.asked
        return Question(
            job_id=claimed.job_id,
            model=self._artifacts.path(claimed.model_sha256),
            model_sha256=claimed.model_sha256,
            asked=asked,
            file=self._artifacts.path(asked.sha256) if isinstance(asked, PredictFile) else None,
            output=output,
            threads=self._threads,
            memory_bytes=self._settings.trainer_memory_bytes,
        )

    def _ask(self, question: Question) -> Answer:
        """Put a question to the child that stands ready."""
        with self._turn:
            if self._server is None or not self._server.alive:
                self.end()
                self._server = Child(SERVE)
            answer = _hear(self._server, question)
            if not self._server.alive or answer == [_TOO_SLOW]:
                self.end()
            return answer


def _once(question: Question) -> Answer:
    """Put a question to a child of its own."""
    child = Child(SERVE)
    try:
        return _hear(child, question)
    finally:
        child.kill()
        child.end(0)


def _hear(child: Child, question: Question) -> Answer:
    try:
        child.line.send(question)
        return child.line.recv() if child.line.poll(ANSWER_SECONDS) else [_TOO_SLOW]
    except (EOFError, ConnectionError):
        return [_DIED]


_LOST = Fault(pointer="", code="lost_file", message="the model's file is gone from the artifact store")
_TOO_SLOW = Fault(pointer="", code="too_slow", message=f"there was no answer within {ANSWER_SECONDS:g} s")
_DIED = Fault(
    pointer="", code="died", message="the process that answers died over it; it may need more memory than there is"
)
