"""Whatever clients, workers, reconcilers and the clock do in whatever order, a job lives as it should."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from api_schemas.errors import Conflict, InvalidRequest, NotFound, TooManyRequests, Unavailable
from api_schemas.jobs import HELD, TERMINAL, Checkpoint, JobError, JobSpec
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.attempts import Claim, LeaseLost, Report
from storage.curves import CurveWriter
from storage.database import Database, now
from storage.idempotency import Once
from storage.metrics import read_points
from storage.points import Stretch
from storage.reconcile import reconcile
from storage.tables import EventRow, Table, database_time
from tests.storage.life import DUTY, LEASE, Job, Life

CRASH = JobError(code="crashed", message="the trainer was killed", hint="")
QUOTA = st.sampled_from([None, None, None, 1])
KEYS = st.sampled_from([None, None, "x", "y"])
MOSTLY_NOT = st.sampled_from([False, False, False, True])
VERBS = st.sampled_from(["cancel", "cancel", "pause", "pause", "resume", "resume", "delete"])
FATES = st.sampled_from(["stored", "stored", "lost", "answer lost"])
"""Of a report: its transaction may be lost, or only the answer; the same is told again."""
LATE = st.sampled_from([False, False, True])
LAST_WORDS = {
    "succeed": {"weights_sha256": "w", "model_sha256": "m", "steps_done": 1},
    "fail": {"error": CRASH},
    "crash": {"error": CRASH},
    "stop": {},
    "release": {"reason": "the worker stops"},
}
ONE_OF_THE_LAST = st.integers(1, 4)
_LOG = select(EventRow.job_id, EventRow.number, EventRow.type, EventRow.data).order_by(EventRow.job_id, EventRow.number)
REFUSALS = (Conflict, InvalidRequest, LeaseLost, NotFound, TooManyRequests, Unavailable)


@cache
def plan(priority: int, max_attempts: int):
    resources = {"priority": priority, "max_attempts": max_attempts}
    return make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}, "resources": resources}), None)


class Bell:
    """Hears which queues are woken, in the broker's place."""

    def __init__(self):
        self.rung: list[str] = []

    def wake(self, queue):
        self.rung.append(queue)


@dataclass
class Attempt:
    """What a worker knows of the job that it trains."""

    claim: Claim
    curves: CurveWriter
    measured: list[float] = field(default_factory=list)
    begun: bool = False
    told: int = 0
    first: int = field(init=False)
    """The step that it goes on from."""

    def __post_init__(self):
        self.first = self.claim.steps_done

    @property
    def key(self):
        return self.claim.lease.job_id, self.claim.lease.attempt

    @property
    def steps_done(self):
        return self.first + len(self.measured)

    def train(self, steps):
        """Measure what only this attempt can have measured."""
        first = self.steps_done
        values = [self.claim.lease.attempt + step / 8192 for step in range(first, first + steps)]
        self.measured += values
        self.curves.add("train/loss", range(first, first + steps), values)

    def news(self, saved):
        if not self.measured:
            return None
        step = self.steps_done
        evaluated = ("evaluation", {"step": step})
        kept = [self.checkpoint(step)] if saved else []
        return Report(step, {}, events=[evaluated], told=self.told, checkpoints=kept)

    def checkpoint(self, step):
        return Checkpoint(step=step, created_at=now(), bytes=1, sha256=f"{step} of {self.key}", last=True)


def outcome(work: Callable[[], object]) -> object:
    """What comes of it: the answer, or how it is refused."""
    try:
        return work()
    except REFUSALS as refusal:
        return type(refusal)


class Machine(RuleBasedStateMachine):
    """Does everything to the storage room and to the model of it."""

    database: Database

    def __init__(self):
        super().__init__()
        self.life = Life()
        self.attempts: list[Attempt] = []  # those too that were replaced: they may speak late
        self.replies: dict[tuple[str, str], tuple[str, str]] = {}
        self.seen: dict[str, dict[str, object]] = {}
        self.hooks = ExitStack()
        self.hooks.enter_context(self._clock())

    def teardown(self):
        self.hooks.close()
        with self.database.write() as session:
            for table in reversed(Table.metadata.sorted_tables):
                session.execute(table.delete())

    @initialize(most=st.integers(1, 3))
    def begin(self, most):
        for project in "ab":
            self.submit(project, 0, most, None, False)

    @rule(
        project=st.sampled_from("ab"),
        priority=st.integers(0, 1),
        most=st.integers(1, 3),
        key=KEYS,
        fails=MOSTLY_NOT,
        quota=QUOTA,
    )
    def submit(self, project, priority, most, key, fails, quota=None):
        def send(request):
            job, again = jobs.submit(self.database, project, plan(priority, most), request, None, quota)
            if not again:
                self.life.jobs[job.id] = Job(project, priority, most)
            return job

        room = "queued" if self.life.has_room(project, quota) else TooManyRequests
        self._once(project, key, f"{priority} {most}", send, lambda: room, fails)

    @precondition(lambda self: self.life.jobs)
    @rule(which=ONE_OF_THE_LAST, verb=VERBS, key=KEYS, fails=MOSTLY_NOT)
    def ask(self, which, verb, key, fails):
        job_id, project = self._choose(which)
        if verb == "delete":
            real = outcome(lambda: jobs.delete_job(self.database, project, job_id))
            assert real == outcome(lambda: self.life.delete(job_id))
            return

        def send(request):
            return getattr(jobs, verb)(self.database, project, job_id, request)

        self._once(project, key, f"{verb} {job_id}", send, lambda: self.life.ask(job_id, verb), fails)

    @rule(
        worker=st.sampled_from(["wrk_1", "wrk_1", "wrk_2"]),
        steps=st.sampled_from([None, 0, 1, 3]),
        saved=st.booleans(),
        quota=QUOTA,
    )
    def claim(self, worker, steps, saved, quota=None):
        got = attempts.claim(self.database, worker, ["default"], ["cpu"], LEASE, quota)
        assert (got and (got.lease.job_id, got.lease.attempt, got.steps_done)) == self.life.claim(quota)
        if got:
            self.attempts.append(Attempt(got, CurveWriter(got.lease.job_id)))
        if got and steps is not None:
            self._tell(self.attempts[-1], steps, saved, "stored")

    @precondition(lambda self: self.attempts)
    @rule(which=ONE_OF_THE_LAST, late=LATE, steps=st.sampled_from([0, 1, 3, 3000]), saved=st.booleans(), fate=FATES)
    def tell(self, which, late, steps, saved, fate):
        self._tell(self._worker(which, late), steps, saved, fate)

    @precondition(lambda self: self.attempts)
    @rule(which=ONE_OF_THE_LAST, late=LATE, word=st.sampled_from(sorted(LAST_WORDS)), fails=MOSTLY_NOT)
    def end(self, which, late, word, fails):
        attempt = self._worker(which, late)

        def say():
            getattr(attempts, word)(self.database, attempt.claim.lease, **LAST_WORDS[word])

        if fails:
            with self._lost():
                assert outcome(say) in (Unavailable, LeaseLost)
        else:
            assert outcome(say) == outcome(lambda: self.life.end(*attempt.key, word))

    @precondition(lambda self: self.attempts)
    @rule(which=ONE_OF_THE_LAST, late=LATE, whole=st.booleans(), fails=MOSTLY_NOT)
    def fall_back(self, which, late, whole, fails):
        """The last checkpoint cannot be read; one that is half as old can, or none."""
        attempt = self._worker(which, late)
        if attempt.measured or self._begin(attempt) is LeaseLost:
            return
        step = attempt.first // 2 if whole else 0
        kept = [attempt.checkpoint(step)] if step else []
        given = (self.database, attempt.claim.lease, attempt.curves, kept, "it is damaged")
        if fails:
            with self._lost():
                assert outcome(lambda: attempts.fall_back(*given)) in (Unavailable, LeaseLost)
        real = outcome(lambda: attempts.fall_back(*given))
        assert real == outcome(lambda: self.life.fall_back(*attempt.key, step))
        if real is None:
            attempt.first = step

    @precondition(lambda self: self.attempts)
    @rule(which=ONE_OF_THE_LAST, late=LATE, fails=MOSTLY_NOT)
    def start_over(self, which, late, fails):
        """The batches are too large for the memory; the job waits to be trained with smaller ones."""
        attempt = self._worker(which, late)
        job = self.life.jobs.get(attempt.key[0])
        smaller = plan(job.priority, job.max_attempts) if job else plan(0, 1)

        def say():
            attempts.start_over(self.database, attempt.claim.lease, smaller, "out of memory")

        if fails:
            with self._lost():
                assert outcome(say) in (Unavailable, LeaseLost)
        else:
            assert outcome(say) == outcome(lambda: self.life.start_over(*attempt.key))

    @rule(seconds=st.sampled_from([0.0, 1.0, LEASE / 2, LEASE + 1]), rounds=st.integers(0, 2))
    def pass_time(self, seconds, rounds):
        """Until somebody puts right what lies about, or two do at once, or nobody."""
        self.life.now += seconds
        for number in range(rounds):
            bell = Bell()
            won, somebody_waits = self.life.reconcile()
            assert reconcile(self.database, bell, f"gateway {number}", DUTY) == won
            assert bell.rung == ["default"] * somebody_waits

    @precondition(lambda self: self.attempts)
    @rule(verb=st.sampled_from([None, None, "cancel", "pause"]), saved=st.booleans())
    def take_over(self, verb, saved):
        """A silent worker's job is taken back and claimed again; the worker may go on to speak."""
        job_id = self.attempts[-1].key[0]
        if verb and self.life.is_held(job_id):
            project = self.life.jobs[job_id].project
            real = outcome(lambda: getattr(jobs, verb)(self.database, project, job_id).state)
            assert real == outcome(lambda: self.life.ask(job_id, verb))
        self.pass_time(LEASE + 1, rounds=1)
        self.pass_time(4.0, rounds=0)  # longer than any try waits here
        self.claim("wrk_1", 1, saved)

    @invariant()
    def every_job_is_as_it_should_be(self):
        with self.database.read() as session:
            rows = {row.id: row for row in session.execute(text("SELECT * FROM jobs"))}
            assert rows.keys() == self.life.jobs.keys()
            logs = {job_id: [] for job_id in rows}
            for job_id, *entry in session.execute(_LOG):
                logs[job_id].append(entry)
            for job_id, job in self.life.jobs.items():
                points = read_points(session, job_id).get("train/loss", Stretch.of([]))
                _check(rows[job_id], job, logs[job_id], points.steps, points.values)
                self._check_version(rows[job_id])

    def _check_version(self, row):
        """What a reader sees changes only with its version, which only grows."""
        looks = {**row._mapping, "lease_until": None}
        before = self.seen.get(row.id)
        assert before is None or row.version > before["version"] or looks == before
        self.seen[row.id] = looks

    def _choose(self, which):
        """A job, sooner one that has not ended, and whose it is."""
        ids = sorted(self.life.jobs, key=lambda job_id: self.life.jobs[job_id].state in TERMINAL)
        job_id = ids[min(which, len(ids)) - 1]
        return job_id, self.life.jobs[job_id].project

    def _worker(self, which, late):
        """An attempt that holds its job; or a late one, sooner one of a job that another attempt holds by now."""
        pool = [one for one in self.attempts if self.life.holds(*one.key) != late] or self.attempts
        if late:
            pool.sort(key=lambda one: self.life.is_held(one.key[0]))
        return pool[-min(which, len(pool))]

    def _tell(self, attempt, steps, saved, fate):
        if self._begin(attempt) is LeaseLost:
            return
        attempt.train(steps)
        news = attempt.news(saved)
        report = (self.database, attempt.claim.lease)
        if fate == "lost":
            with self._lost():
                assert outcome(lambda: attempts.report(*report, attempt.curves, news)) in (Unavailable, LeaseLost)
        if fate == "answer lost":
            outcome(lambda: attempts.report(*report, copy.deepcopy(attempt.curves), news))
        saved_at = attempt.steps_done if news and saved else None
        said = (attempt.first, attempt.measured, saved_at)
        real = outcome(lambda: attempts.report(*report, attempt.curves, news))
        assert real == outcome(lambda: self.life.tell(*attempt.key, *said))
        if news and real is not LeaseLost:
            attempt.told += 1

    def _begin(self, attempt):
        if attempt.begun:
            return None
        first = attempt.claim.steps_done
        real = outcome(lambda: attempts.begin(self.database, attempt.claim.lease, attempt.curves, first))
        assert real == outcome(lambda: self.life.begin(*attempt.key, first))
        attempt.begun = real is None
        return real

    def _once(self, project, key, body, send, expected, fails):
        """Send a request: under a key that was answered it has no effect and the same answer."""
        request = Once.of(key, body) if key else None
        kept = self.replies.get((project, key))
        if kept:
            wanted = kept[1] if kept[0] == body else InvalidRequest
            assert outcome(lambda: send(request).model_dump_json()) == wanted
        elif fails:
            with self._lost():
                assert outcome(lambda: send(request)) in (Unavailable, Conflict, TooManyRequests)
        else:
            reply = outcome(lambda: send(request))
            wanted = outcome(expected)
            assert getattr(reply, "state", reply) == wanted
            if key and reply is not wanted:
                self.replies[project, key] = body, reply.model_dump_json()

    @contextmanager
    def _lost(self) -> Iterator[None]:
        """A database that goes away at every commit."""

        def go(_connection):
            raise OperationalError("COMMIT", {}, Exception("the database went away"))

        with listening(self.database, "commit", go):
            yield

    @contextmanager
    def _clock(self) -> Iterator[None]:
        """Have the database tell the model's time."""
        clock = str(database_time().compile(dialect=self.database.engine.dialect))

        def tell(_connection, _cursor, statement, parameters, *_):
            return statement.replace(clock, repr(self.life.now)), parameters

        with listening(self.database, "before_cursor_execute", tell, retval=True):
            yield


def _check(row, job, log, steps, values):
    numbers, kinds, details = zip(*log, strict=True)
    states = [detail["state"] for kind, detail in zip(kinds, details, strict=True) if kind == "state"]
    assert states == job.states
    assert [detail["step"] for kind, detail in zip(kinds, details, strict=True) if kind == "evaluation"] == job.told
    assert not TERMINAL & set(states[:-1])
    assert (row.state, row.attempt, row.failures) == (job.state, job.attempt, job.failures)
    assert (row.lease_until, row.not_before) == (job.lease_until, job.not_before)
    assert (row.state in HELD) == (row.lease_until is not None)
    assert (row.state in TERMINAL) == (row.finished_at is not None)
    assert row.failures <= job.max_attempts
    assert (row.checkpoint_step or 0) == job.checkpoint
    assert list(numbers) == list(range(1, row.events + 1))
    assert list(steps) == list(range(len(job.points)))
    assert list(values) == job.points


@contextmanager
def listening(database, name, hear, **options):
    event.listen(database.engine, name, hear, **options)
    yield
    event.remove(database.engine, name, hear)


def live(database, examples):
    Machine.database = database
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=40))


@pytest.mark.timeout(600)
def test_a_job_lives_as_it_should_whatever_happens_in_whatever_order(database):
    usual = settings.default.max_examples
    live(database, usual // 6 if database.url.startswith("sqlite") else usual // 20)


@pytest.mark.verify
@pytest.mark.timeout(3600)
def test_many_jobs_live_as_they_should_whatever_happens_in_whatever_order(database):
    live(database, 1500 if database.url.startswith("sqlite") else 500)
