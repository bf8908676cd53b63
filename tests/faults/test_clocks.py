"""A worker's clock is hours off: leases go by the database's, and a replaced worker changes nothing anyway."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.faults.scene import SPEC, submit
from tests.following import finish

SHIFTED_CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) { return atol(getenv("CLOCK_SHIFT")); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    return now ? (*now = exact.tv_sec) : exact.tv_sec;
}
"""
HOUR = 3600


@pytest.fixture
def start_worker_at(tmp_path, monkeypatch):
    """Start a worker whose clock is so many seconds off."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a library that shifts a process's clock")
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(SHIFTED_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)

    def start(one, seconds):
        with monkeypatch.context() as environment:
            environment.setenv("LD_PRELOAD", str(library))
            environment.setenv("CLOCK_SHIFT", str(seconds))
            return one.start_worker()

    return start


@pytest.mark.faults
def test_with_clocks_two_hours_ahead_and_behind_a_job_on_postgresql_has_one_attempt(
    deployment, postgres_url, start_worker_at, undisturbed
):
    one = deployment(database_url=postgres_url, lease_seconds=3)
    one.start_gateway()
    start_worker_at(one, -2 * HOUR)
    start_worker_at(one, 2 * HOUR)
    for job in [submit(one), submit(one)]:
        done = finish(one, job)
        assert done["attempt"] == 1
        undisturbed(one, done, SPEC)
