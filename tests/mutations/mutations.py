"""What is broken on purpose: each fault names the few tests that should notice it."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_LIFE = "tests/storage/test_life.py::test_a_job_lives_as_it_should_whatever_happens_in_whatever_order[sqlite]"
_ATTEMPTS = "tests/storage/test_attempts.py"
_OWN = f"{_ATTEMPTS}::test_a_worker_that_claims_its_own_lost_job_does_not_hear_its_earlier_attempt"
_FILES = "tests/training/test_files.py"
_NEVER_PAUSES = (
    "tests/worker/test_supervisor.py"
    "::test_a_trainer_that_never_pauses_does_not_keep_its_job_from_being_reported_and_cancelled"
)
_RESUMED = "tests/training/test_checkpoint.py::test_a_run_may_be_left_at_any_event_and_nothing_is_told_twice"

FENCING = (
    Mutation(
        "no fencing: a report is heard from any attempt of its worker",
        "storage/attempts.py",
        '.where(JobRow.attempt == bindparam("by"), JobRow.worker_id',
        ".where(JobRow.worker_id",
        (_OWN, _LIFE),
    ),
    Mutation(
        "no fencing: a last word is heard from any attempt of its worker",
        "storage/attempts.py",
        "        JobRow.attempt == lease.attempt,\n",
        "",
        (_OWN, _LIFE),
    ),
    Mutation(
        "what was cancelled can still succeed",
        "storage/attempts.py",
        "        JobRow.state.in_(HELD),\n",
        "",
        (_LIFE,),
    ),
    Mutation(
        "points are stored before it is known whose the job is",
        "storage/attempts.py",
        "    try:\n        if word.environment:\n",
        "    word.curves.write(session)\n    try:\n        if word.environment:\n",
        (_LIFE,),
    ),
    Mutation(
        "points count as stored before the commit",
        "storage/attempts.py",
        "    word.curves.write(session)\n",
        "    word.curves.write(session)\n    word.curves.written()\n",
        (_LIFE,),
    ),
    Mutation(
        "what was stored and not answered is written again",
        "storage/attempts.py",
        "fresh = events[len(events) - (last - before) :]",
        "fresh = events",
        (_LIFE,),
    ),
    Mutation(
        "an attempt writes behind what the one before it measured too much",
        "storage/attempts.py",
        "        curves.rewind(session, steps_done)\n",
        "",
        (_LIFE,),
    ),
)

LEASES = (
    Mutation(
        "a trainer that never pauses is heard for ever, and nothing is reported meanwhile",
        "worker/supervisor.py",
        "self._training and time.monotonic() < until and self._trainer",
        "self._training and self._trainer",
        (_NEVER_PAUSES,),
    ),
    Mutation(
        "lease ignored: a claim takes jobs that others have",
        "storage/order.py",
        '.where(JobRow.state == "queued", ',
        '.where(JobRow.state.in_(["queued", "running"]), ',
        (_LIFE,),
    ),
    Mutation(
        "a claim does not pass over the job that another is about to take",
        "storage/attempts.py",
        ".with_for_update(of=JobRow, skip_locked=True)",
        "",
        (f"{_ATTEMPTS}::test_a_job_that_another_worker_is_about_to_take_is_passed_over",),
    ),
    Mutation(
        "lease ignored: the reconciler takes jobs from workers that are well",
        "storage/reconcile.py",
        "JobRow.state.in_(HELD), JobRow.lease_until < database_time())",
        "JobRow.state.in_(HELD))",
        (_LIFE,),
    ),
    Mutation(
        "leases go by the clock of a machine",
        "storage/reconcile.py",
        "JobRow.lease_until < database_time())",
        "JobRow.lease_until < __import__('time').time())",
        (_LIFE,),
    ),
    Mutation(
        "nobody takes jobs back from workers that were lost",
        "storage/reconcile.py",
        "    _take_back_lost_jobs(database)\n    for",
        "    for",
        (_LIFE,),
    ),
    Mutation(
        "a job whose worker was lost while it was being paused is tried again",
        "storage/reconcile.py",
        'elif job.state == "pausing":',
        "elif False:",
        (f"{_ATTEMPTS}::test_a_worker_lost_while_its_job_was_being_cancelled_or_paused_ends_as_asked", _LIFE),
    ),
    Mutation(
        "two reconcilers work at once",
        "storage/duties.py",
        "set_=changes, where=free)",
        "set_=changes)",
        (_LIFE,),
    ),
    Mutation(
        "a job that has ended keeps its lease",
        "storage/events.py",
        "    if state not in HELD:\n",
        "    if state not in HELD and state != 'failed':\n",
        (_LIFE,),
    ),
)

RETRIES = (
    Mutation(
        "a try does not wait for its time",
        "storage/order.py",
        "JobRow.not_before <= database_time())",
        "JobRow.not_before > 0)",
        (_LIFE,),
    ),
    Mutation(
        "failures are not counted, so that a poisonous job is tried for ever",
        "storage/endings.py",
        "    job.failures += 1\n",
        "",
        (_LIFE,),
    ),
    Mutation(
        "jobs whose trainer died are trained together again, so that one takes the others down with it each time",
        "storage/endings.py",
        "    job.fuse_key = None\n",
        "",
        ("tests/storage/test_together.py",),
    ),
    Mutation(
        "the next try waits no longer than the one before",
        "storage/endings.py",
        "database_time() + 2 ** (job.failures - 1) - 1",
        "database_time()",
        (_LIFE,),
    ),
    Mutation(
        "a job that was being cancelled is tried again when its trainer dies",
        "storage/endings.py",
        '    if job.state == "cancelling":\n        move(session, job, "cancelled", "cancelled")\n'
        "    elif job.failures",
        "    if job.failures",
        (f"{_ATTEMPTS}::test_a_job_whose_trainer_dies_when_it_shall_stop_ends_as_asked", _LIFE),
    ),
)

READERS = (
    Mutation(
        "a report leaves the version, so that polls miss it",
        "storage/attempts.py",
        '            "version": JobRow.version + 1,\n',
        "",
        (_LIFE,),
    ),
    Mutation(
        "events are numbered with gaps",
        "storage/events.py",
        "    job.events += 1\n",
        "    job.events += 2\n",
        (_LIFE,),
    ),
    Mutation(
        "a point that is told twice is stored twice",
        "storage/curves.py",
        "added.within(series.last, FOREVER)",
        "added",
        ("tests/storage/test_curves.py",),
    ),
)

REQUESTS = (
    Mutation(
        "requests at once each see the last free place of a quota",
        "storage/quotas.py",
        '    take_turns(session, f"queued jobs of {project}")\n',
        "",
        ("tests/storage/test_quotas.py",),
    ),
    Mutation(
        "an idempotency key is stored outside of the transaction of its work",
        "storage/idempotency.py",
        "    kept = _reserve(session, project, request)\n",
        "    kept = _reserve(session, project, request)\n    session.connection().connection.commit()\n",
        ("tests/storage/test_jobs.py::test_a_submit_that_fails_leaves_its_key_free",),
    ),
    Mutation(
        "an idempotency key is stored without its answer",
        "storage/idempotency.py",
        "        .values(reply=answer.model_dump_json())\n",
        "        .values(reply=kind.__name__)\n",
        (_LIFE,),
    ),
    Mutation(
        "the wake-up for a submit is sent before the commit",
        "service/jobs.py",
        "    job, again = jobs.submit(",
        "    gateway.waker.wake(spec.resources.queue)\n    job, again = jobs.submit(",
        ("tests/service/test_wake.py",),
    ),
    Mutation(
        "SQLite's transactions that write begin as readers",
        "storage/database.py",
        '"BEGIN IMMEDIATE" if writes else "BEGIN"',
        '"BEGIN"',
        ("tests/storage/test_database.py",),
    ),
)

FILES = (
    Mutation(
        "a checkpoint is written in place, without a rename",
        "training/files.py",
        "        write(temporary)\n        _flush(temporary)\n        temporary.replace(path)\n",
        "        write(path)\n",
        (f"{_FILES}::test_a_writer_that_is_killed_at_any_moment_leaves_whole_files",),
    ),
    Mutation(
        "a checkpoint has its name before it is on the disk",
        "training/files.py",
        "        _flush(temporary)\n",
        "",
        (_FILES,),
    ),
    Mutation(
        "a checkpoint's name is not on the disk when it is told",
        "training/files.py",
        "    _flush(path.parent)\n",
        "",
        (_FILES,),
    ),
    Mutation(
        "an artifact has its name before it is on the disk",
        "storage/artifacts.py",
        "                os.fsync(file.fileno())\n",
        "",
        (_FILES,),
    ),
    Mutation(
        "an artifact's name is not on the disk when it is told",
        "storage/artifacts.py",
        "        flush(place.parent)\n",
        "",
        (_FILES,),
    ),
)

RESUMING = (
    Mutation(
        "a resumed run does not know its place in the data",
        "training/loop.py",
        "return self.steps_done % self._plan.steps_per_epoch",
        "return 0",
        (_RESUMED,),
    ),
    Mutation(
        "a resumed run draws other random numbers",
        "training/loop.py",
        '        self._random = state["random"]\n',
        "",
        (_RESUMED,),
    ),
    Mutation(
        "a resumed run has forgotten its optimizer's state",
        "training/loop.py",
        '        self.steps.restore(state["steps"])\n',
        "",
        (_RESUMED,),
    ),
    Mutation(
        "a resumed run evaluates once more where it was left",
        "training/loop.py",
        'self.steps_done, self._evaluated, self._checkpointed = state["position"]',
        'self.steps_done, _, self._checkpointed = state["position"]',
        (_RESUMED,),
    ),
    Mutation(
        "a checkpoint of another run is taken",
        "training/checkpoint.py",
        'if metadata.get("run") != run:',
        "if False:",
        ("tests/training/test_checkpoint.py::test_a_checkpoint_of_another_run_is_refused_and_of_another_name_taken",),
    ),
)

PROCESSES = (
    Mutation(
        "a wake-up between two jobs is lost",
        "worker/slots.py",
        "            if wakes == self._wakes:\n                return\n",
        "            return\n",
        ("tests/worker/test_slots.py",),
    ),
    Mutation(
        "a trainer outlives the worker that was killed",
        "worker/process.py",
        "    die_with_parent()\n",
        "",
        ("tests/worker/test_process.py",),
    ),
    Mutation(
        "what a trainer has started outlives it",
        "worker/process.py",
        "os.killpg(self._process.pid, signal.SIGKILL)",
        "self._process.kill()",
        ("tests/worker/test_process.py",),
    ),
)

MUTATIONS = (*FENCING, *LEASES, *RETRIES, *READERS, *REQUESTS, *FILES, *RESUMING, *PROCESSES)
