"""Everything is killed, stopped and cut off for a while, and nothing is lost or done twice."""

from __future__ import annotations

import pytest

from tests.chaos.faults import schedule
from tests.chaos.report import write_report
from tests.chaos.run import Plan, run

VARIED = 104
"""A seed whose first 40 seconds have most kinds of faults."""


@pytest.mark.xdist_group("chaos")
@pytest.mark.timeout(600)
def test_under_chaos_every_accepted_job_ends_once_with_the_curve_of_an_undisturbed_run(tmp_path):
    outcome = run(Plan(seed=VARIED, seconds=40), tmp_path / "servers")
    assert outcome.broken == []
    assert outcome.strikes
    assert outcome.ledger.orders
    write_report(outcome, tmp_path / "report")
    assert (tmp_path / "report" / "chaos.json").stat().st_size > 1000
    assert "nothing lost" in (tmp_path / "report" / "chaos.svg").read_text()


def test_a_seed_has_its_schedule_of_faults_and_another_seed_another():
    assert schedule(7, 600, 4) == schedule(7, 600, 4)
    assert schedule(7, 600, 4) != schedule(8, 600, 4)


def test_the_first_faults_of_a_long_run_are_those_of_a_short_one_but_for_postgresql():
    short, long = ([fault for fault in schedule(7, seconds, 4) if fault.target != "postgres"] for seconds in (60, 600))
    assert long[: len(short)] == short


def test_within_ten_minutes_everything_is_hit():
    targets = {fault.target for fault in schedule(7, 600, 4)}
    assert {"gateway", "worker-1", "worker-2", "worker-3", "postgres", "valkey", "clients-gateway"} <= targets
    assert any(target.startswith("trainer") for target in targets)
    assert any(target.endswith("-postgres") for target in targets)
