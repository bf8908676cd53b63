"""Jobs as their owners see them: once each, page by page, and nobody else's."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from api_schemas.datasets import Upload
from api_schemas.errors import InvalidRequest, NotFound
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.database import now
from storage.idempotency import LIFETIME, Once, forget_expired
from storage.listing import JobFilter, list_jobs
from storage.tables import IdempotencyRow
from storage.versions import job_standing

DIGITS = {"dataset": {"name": "digits"}}
PLAN = make_plan(JobSpec.model_validate(DIGITS), None)


def listed(database, project="default", **wanted):
    return [job.course.id for job in list_jobs(database, project, JobFilter(**wanted), limit=200)[0]]


def test_the_spec_that_is_read_back_is_the_one_that_was_planned(database):
    spec = {"dataset": {"name": "diabetes"}, "optimizer": {"name": "nadam", "betas": [0.8, 0.99]}, "tags": {"a": "b"}}
    plan = make_plan(JobSpec.model_validate(spec), None)
    job, _ = jobs.submit(database, "default", plan)
    assert jobs.get_job(database, "default", job.id).spec == plan.spec


def test_patterns_of_layer_rates_keep_their_order_since_the_first_that_matches_counts(database):
    rates = {"2.*": 0.5, "0.weight": 0.1, "0.*": 0.0, "*": 2.0}
    plan = make_plan(JobSpec.model_validate(DIGITS | {"training": {"layer_rates": rates}}), None)
    job, _ = jobs.submit(database, "default", plan)
    kept = jobs.get_job(database, "default", job.id).spec.training.layer_rates
    assert list(kept.items()) == list(rates.items())


def test_many_submits_at_once_with_one_key_make_one_job_and_hear_the_same(database):
    request, answers = Once.of("key", "body"), []

    def send() -> None:
        answers.append(jobs.submit(database, "default", PLAN, request))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed(database)) == 1
    assert len({job.model_dump_json() for job, _ in answers}) == 1
    assert [again for _, again in answers].count(False) == 1


def test_a_key_for_another_body_is_refused(database):
    jobs.submit(database, "default", PLAN, Once.of("key", "one body"))
    with pytest.raises(InvalidRequest, match="used for another request"):
        jobs.submit(database, "default", PLAN, Once.of("key", "another body"))
    assert len(listed(database)) == 1


def test_projects_do_not_share_keys(database):
    for project in ("a", "b"):
        assert jobs.submit(database, project, PLAN, Once.of("key", "body"))[1] is False


def test_an_old_key_is_forgotten(database):
    jobs.submit(database, "default", PLAN, Once.of("key", "body"))
    with database.write() as session:
        session.execute(update(IdempotencyRow).values(created_at=now() - LIFETIME - timedelta(seconds=1)))
        forget_expired(session)
    assert jobs.submit(database, "default", PLAN, Once.of("key", "body"))[1] is False
    assert len(listed(database)) == 2


def test_a_submit_that_fails_leaves_its_key_free(database):
    orphan = PLAN.model_copy(update={"spec": PLAN.spec.model_copy(update={"dataset": Upload(id="ds_gone")})})
    with pytest.raises(IntegrityError):
        jobs.submit(database, "default", orphan, Once.of("key", "body"))
    assert jobs.submit(database, "default", PLAN, Once.of("key", "body"))[1] is False


def test_pages_go_through_all_jobs_once_while_more_come(database, submit):
    made = [submit().id for _ in range(7)]
    seen, cursor = [], None
    while True:
        found, cursor = list_jobs(database, "default", JobFilter(), limit=3, cursor=cursor)
        seen += [job.course.id for job in found]
        submit()
        if cursor is None:
            break
    assert seen == made[::-1]
    oldest_first, _ = list_jobs(database, "default", JobFilter(), limit=3, sort="created_at")
    assert [job.course.id for job in oldest_first] == made[:3]


def test_filters_find_what_they_say(database, submit):
    plain = submit()
    tagged = submit(name="Wine 100%", tags={"course": "lecture-4"})
    attempts.claim(database, "wrk", ["default"], ["cpu"], 60)
    assert listed(database, states=["queued"]) == [tagged.id]
    assert listed(database, states=["running", "failed"]) == [plain.id]
    assert listed(database, name="wine 100%") == [tagged.id]
    assert listed(database, name="%") == [tagged.id]
    assert listed(database, tag=("course", "lecture-4")) == [tagged.id]
    assert listed(database, tag=("course", "lecture-5")) == []
    assert listed(database, created_after=now()) == []
    assert len(listed(database, created_before=now())) == 2


@pytest.mark.parametrize("name", ['a"b', "a.b", "$", "[0]", "a'b", "\\", "%", "ü"])
def test_a_tag_may_be_called_anything(database, submit, name):
    job = submit(tags={name: "x"})
    submit(tags={"other": "x"})
    assert listed(database, tag=(name, "x")) == [job.id]


def test_what_another_project_owns_is_not_there(database, submit):
    job = submit("theirs")
    for look in (jobs.get_job, job_standing, jobs.cancel, jobs.pause, jobs.resume, jobs.delete_job):
        with pytest.raises(NotFound):
            look(database, "mine", job.id)
    assert listed(database, "mine") == []
    assert listed(database, "theirs") == [job.id]


@pytest.mark.parametrize("job_id", ["", "nonsense", "job_\0", "\0", "ü"])
def test_an_id_that_none_can_be_is_not_found(database, job_id):
    for look in (jobs.get_job, job_standing, jobs.cancel):
        with pytest.raises(NotFound):
            look(database, "default", job_id)


def test_a_deleted_job_is_gone_with_its_events(database, submit):
    job = submit()
    jobs.delete_job(database, "default", job.id)
    with pytest.raises(NotFound):
        jobs.get_events(database, "default", job.id, 0, 10)
