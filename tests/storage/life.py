"""The life of jobs as it should be, in plain Python, for the storage room to be held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from api_schemas.errors import Conflict, NotFound
from api_schemas.jobs import HELD, JobState
from storage.attempts import LeaseLost

LEASE = 30.0
DUTY = 10.0


@dataclass
class Job:
    """What is true of a job."""

    project: str
    priority: int
    max_attempts: int
    states: list[JobState] = field(default_factory=lambda: ["queued"])
    """All that it has been in; the last is the present one."""
    attempt: int = 0
    failures: int = 0
    lease_until: float | None = None
    not_before: float | None = None
    checkpoint: int = 0
    points: list[float] = field(default_factory=list)
    """Its curve: the value of each step so far."""
    told: list[int] = field(default_factory=list)
    """The steps of the evaluations that were reported."""

    @property
    def state(self):
        return self.states[-1]

    def move(self, state):
        self.states.append(state)
        if state not in HELD:
            self.lease_until = None


class Life:
    """All jobs, in the order of their submits, and a clock that stands until it is moved."""

    def __init__(self):
        self.now = 1e9
        self.jobs: dict[str, Job] = {}
        self.duty_until = 0.0

    def has_room(self, project, quota):
        """Whether one more of a project's jobs may wait."""
        return quota is None or self._count(project, {"queued"}) < quota

    def ask(self, job_id, verb):
        """Of a client: cancel, pause or resume. Returns the state that it is answered."""
        job = self._job(job_id)
        match verb, job.state:
            case "cancel", "queued" | "paused":
                job.move("cancelled")
            case "cancel", "running" | "pausing":
                job.move("cancelling")
            case "pause", "queued":
                job.move("paused")
            case "pause", "running":
                job.move("pausing")
            case "resume", "paused":
                job.move("queued")
            case ("cancel", _) | ("pause", "pausing" | "paused") | ("resume", "queued" | "running"):
                pass
            case _:
                raise Conflict(job.state)
        return job.state

    def delete(self, job_id):
        if self._job(job_id).state in HELD:
            raise Conflict(job_id)
        del self.jobs[job_id]

    def claim(self, quota):
        """The best job by priority, then fewest of its project at work, then age: id, attempt, first step."""
        at_work = {project: self._count(project, HELD) for project in "ab"}
        waiting = [
            job_id
            for job_id, job in self.jobs.items()
            if self._due(job) and (quota is None or at_work[job.project] < quota)
        ]
        if not waiting:
            return None
        best = min(waiting, key=lambda job_id: (-self.jobs[job_id].priority, at_work[self.jobs[job_id].project]))
        job = self.jobs[best]
        job.attempt += 1
        job.move("running")
        job.lease_until, job.not_before = self.now + LEASE, None
        return best, job.attempt, job.checkpoint

    def is_held(self, job_id):
        return job_id in self.jobs and self.jobs[job_id].state in HELD

    def holds(self, job_id, attempt):
        return self.is_held(job_id) and self.jobs[job_id].attempt == attempt

    def begin(self, job_id, attempt, first_step):
        del self._renewed(job_id, attempt).points[first_step:]

    def tell(self, job_id, attempt, first_step, points, checkpoint):
        """What an attempt has measured since its first step, and where it can be taken up. Returns the state."""
        job = self._renewed(job_id, attempt)
        if points:
            job.told.append(first_step + len(points))
        job.points[first_step:] = points
        job.checkpoint = checkpoint or job.checkpoint
        return job.state

    def end(self, job_id, attempt, word):
        job = self._held(job_id, attempt)
        match word, job.state:
            case "succeed", _:
                job.move("succeeded")
            case "crash", state:
                self._fail(job, state)
            case _, "cancelling":
                job.move("cancelled")
            case "fail", _:
                job.move("failed")
            case ("stop", _) | (_, "pausing"):
                job.move("paused")
            case _:
                job.move("queued")

    def fall_back(self, job_id, attempt, step):
        """An attempt that cannot read its last checkpoint goes on from an earlier one, or from the start."""
        job = self._held(job_id, attempt)
        job.checkpoint = step
        del job.points[step:]

    def start_over(self, job_id, attempt):
        """An attempt for which the batches were too large leaves its job to one with smaller ones."""
        self._held(job_id, attempt).checkpoint = 0
        self.end(job_id, attempt, "release")

    def reconcile(self):
        """Whether there was a round to do, and whether somebody waits after it."""
        if self.duty_until >= self.now:
            return False, False
        self.duty_until = self.now + DUTY
        for job in self.jobs.values():
            if job.state in HELD and job.lease_until < self.now:
                if job.state == "pausing":
                    job.move("paused")
                elif job.state == "cancelling":
                    job.move("cancelled")
                else:
                    self._fail(job, job.state)
        return True, any(self._due(job) for job in self.jobs.values())

    def _count(self, project, states):
        return sum(job.project == project and job.state in states for job in self.jobs.values())

    def _due(self, job):
        return job.state == "queued" and (job.not_before is None or job.not_before <= self.now)

    def _fail(self, job, state):
        job.failures += 1
        if state == "cancelling":
            job.move("cancelled")
        elif job.failures >= job.max_attempts:
            job.move("failed")
        else:
            job.move("paused" if state == "pausing" else "queued")
            job.not_before = self.now + 2 ** (job.failures - 1) - 1

    def _job(self, job_id):
        if job_id not in self.jobs:
            raise NotFound(job_id)
        return self.jobs[job_id]

    def _held(self, job_id, attempt):
        if not self.holds(job_id, attempt):
            raise LeaseLost(job_id)
        return self.jobs[job_id]

    def _renewed(self, job_id, attempt):
        job = self._held(job_id, attempt)
        job.lease_until = self.now + LEASE
        return job
