"""Everything is killed, stopped and cut off for a while, and nothing is lost or done twice."""

from __future__ import annotations

from itertools import pairwise, takewhile

import pytest

from tests.chaos.faults import schedule
from tests.chaos.report import write_report
from tests.chaos.run import Plan, run

VARIED = 82
"""A seed whose first half minute has ten kinds of faults: everything is hit."""


@pytest.mark.xdist_group("chaos")
@pytest.mark.timeout(600)
def test_under_chaos_every_accepted_job_ends_once_with_the_curve_of_an_undisturbed_run(tmp_path):
    outcome = run(Plan(seed=VARIED, seconds=30), tmp_path / "servers")
    assert outcome.broken == []
    assert outcome.strikes
    assert outcome.ledger.orders
    write_report(outcome, tmp_path / "report")
    assert (tmp_path / "report" / "chaos.json").stat().st_size > 1000
    assert "nothing lost" in (tmp_path / "report" / "chaos.svg").read_text()


def first_faults(seed):
    """Those of ten minutes."""
    return list(takewhile(lambda fault: fault.at < 600, schedule(seed, 4)))


def test_a_seed_has_its_schedule_of_faults_and_another_seed_another():
    assert first_faults(7) == first_faults(7)
    assert first_faults(7) != first_faults(8)


def test_postgresql_ends_every_5_to_40_seconds():
    moments = [0.0, *(fault.at for fault in first_faults(7) if fault.target == "postgres")]
    assert all(5 <= later - earlier <= 40 for earlier, later in pairwise(moments))


def test_within_ten_minutes_everything_is_hit():
    targets = {fault.target for fault in first_faults(7)}
    assert {"gateway", "worker-1", "worker-2", "worker-3", "postgres", "valkey", "clients-gateway"} <= targets
    assert any(target.startswith("trainer") for target in targets)
    assert any(target.endswith("-postgres") for target in targets)
