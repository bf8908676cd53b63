"""While versions change, an older process leaves alone what it does not understand, and says so."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from api_schemas.errors import Unavailable
from storage import attempts, jobs
from storage.duties import RECONCILE, take_duty


@pytest.fixture
def from_the_future(database):
    """Give a job a spec that a later version would write."""

    def write(job):
        with database.write() as session:
            changed = text("UPDATE jobs SET spec = replace(spec, '{', :more) WHERE id = :id")
            session.execute(changed, {"id": job.id, "more": '{"warp":9,'})

    return write


def claim(database):
    claimed = attempts.claim(database, "wrk_1", ["default"], ["cpu"], 60)
    return claimed and claimed.lease.job_id


def test_a_job_that_a_newer_version_wrote_is_left_to_its_workers_and_holds_up_nobody(database, submit, from_the_future):
    newer, mine = submit(resources={"priority": 5}), submit()
    from_the_future(newer)
    assert claim(database) == mine.id
    assert claim(database) is None


def test_who_asks_for_such_a_job_is_told_to_try_again(database, submit, from_the_future):
    newer = submit()
    from_the_future(newer)
    with pytest.raises(Unavailable, match="written by a newer version"):
        jobs.get_job(database, "default", newer.id)


def test_a_process_has_no_duties_in_a_database_of_a_newer_version(database):
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert not take_duty(database, RECONCILE, "me", 60)
