"""The sweep takes every file that nothing refers to, and never one that something does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from pydantic import TypeAdapter
from sqlalchemy import String

from api_schemas.datasets import DatasetFile
from api_schemas.jobs import Checkpoint, JobSpec
from api_schemas.plan import make_plan
from storage import attempts, jobs
from storage.artifacts import FileArtifacts
from storage.attempts import Report
from storage.curves import CurveWriter
from storage.database import Database, now
from storage.datasets import NewDataset, add_dataset, delete_dataset
from storage.garbage import sweep
from storage.migrations import upgrade
from storage.references import REFERENCES, references
from storage.tables import Document, Table
from tests.storage.filled import fill

GRACE = 3600.0
NOT_OF_FILES = {
    "jobs.weights_sha256",  # of the weights in the model's file
    "datasets.sha256",  # of several files' digests; that of a single one is in `files`
    "api_keys.sha256",
}


def holds_digests(column):
    """Whether a column, or a field of the documents in it, is named as digests are."""
    if isinstance(column.type, Document):
        return "sha256'" in repr(TypeAdapter(column.type.kind).json_schema())
    return isinstance(column.type, String) and column.name.endswith("sha256")


def test_every_column_with_digests_of_files_is_looked_at():
    columns = [column for table in Table.metadata.sorted_tables for column in table.columns]
    found = {f"{column.table.name}.{column.name}" for column in columns if holds_digests(column)}
    known = [column.property.columns[0] for columns in REFERENCES.values() for column in columns]
    assert found - NOT_OF_FILES == {f"{column.table.name}.{column.name}" for column in known}


class Store(FileArtifacts):
    """A store in which something else happens whenever a sweep looks at a file."""

    def __init__(self, folder):
        super().__init__(folder)
        self.meanwhile: Callable[[], object] = lambda: None

    def sweep(self, before, kept):
        store = self

        class Kept:
            def __contains__(self, digest):
                store.meanwhile()
                return digest in kept

        return super().sweep(before, Kept())

    def files(self):
        return {path.name for path in self._all()}

    def pass_time(self, seconds):
        """Make every file older: by its own clock the folder is that much later."""
        for path in self._all():
            changed = path.stat().st_mtime - seconds
            os.utime(path, (changed, changed))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "files")


def referred(database):
    with database.snapshot() as connection:
        return references(connection)


def test_old_orphans_and_half_written_files_go_and_what_is_referred_to_stays(database, store):
    fill(database, lambda number: store.put([b"file %d" % number]).sha256)
    orphan = store.put([b"orphan"]).sha256
    (store.folder / ".incoming-half").write_bytes(b"ha")
    assert sweep(database, store, GRACE) == 0
    store.pass_time(2 * GRACE)
    young = store.put([b"young"]).sha256
    assert sweep(database, store, GRACE) == 2
    assert store.files() == referred(database) | {young}
    assert orphan not in store.files()


def test_a_store_that_nothing_was_put_into_is_swept_too(database, store):
    assert sweep(database, store, GRACE) == 0


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "anneal.db"
    upgrade(f"sqlite:///{path}")
    return path


CONTENTS = st.sampled_from([b"a", b"b", b"c", b"d"])


class Life(RuleBasedStateMachine):
    """Uploads, checkpoints, deletions and sweeps in any order; who stored a file may not have said so yet."""

    migrated: Path
    plan = make_plan(JobSpec.model_validate({"dataset": {"name": "digits"}}), None)

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.migrated, self.folder / "anneal.db")
        self.database = Database(f"sqlite:///{self.folder / 'anneal.db'}")
        self.store = Store(self.folder / "files")
        self.pending: list[str] = []
        self.datasets: list[str] = []
        self.claims: list[attempts.Claim] = []
        self.kept: dict[str, list[Checkpoint]] = {}

    def teardown(self):
        self.pending.clear()
        self.store.pass_time(2 * GRACE)
        sweep(self.database, self.store, GRACE)
        assert self.store.files() == referred(self.database)
        self.database.close()
        shutil.rmtree(self.folder)

    @rule(content=CONTENTS)
    def put(self, content):
        self.pending.append(self.store.put([content]).sha256)

    @precondition(lambda self: self.pending)
    @rule()
    def upload(self):
        file = DatasetFile(name="a.csv", sha256=self.pending.pop(0), bytes=1)
        row, _ = add_dataset(self.database, "default", NewDataset("a", "csv", [file], None, []))
        self.datasets.append(row.id)

    @precondition(lambda self: self.datasets)
    @rule()
    def delete_dataset(self):
        delete_dataset(self.database, "default", self.datasets.pop(0))

    @precondition(lambda self: self.datasets)
    @rule()
    def refer_again(self):
        """To a file that is there, as a job does that begins with another's weights."""
        self.pending.append(self.store.renew(min(referred(self.database))).name)

    @precondition(lambda self: len(self.claims) < 2)
    @rule()
    def start(self):
        jobs.submit(self.database, "default", self.plan)
        self.claims.append(attempts.claim(self.database, "wrk_1", ["default"], ["cpu"], 1e6))

    @precondition(lambda self: self.claims)
    @rule(content=st.integers(0, 3))
    def checkpoint(self, content):
        """The last two are kept; the file of the one before goes at once, as no other job has the same."""
        lease = self.claims[0].lease
        before = self.kept.get(lease.job_id, [])
        step = len(before) and before[-1].step + 1
        sha256 = self.store.put([f"{lease.job_id} {step} {content}".encode()]).sha256
        kept = [*before, Checkpoint(step=step, created_at=now(), bytes=1, sha256=sha256, last=True)]
        news = Report(step, {}, checkpoints=kept[-2:])
        attempts.report(self.database, lease, CurveWriter(lease.job_id), news)
        for old in kept[:-2]:
            self.store.delete(old.sha256)
        self.kept[lease.job_id] = kept[-2:]

    @precondition(lambda self: self.claims)
    @rule()
    def delete_job(self):
        lease = self.claims.pop(0).lease
        attempts.release(self.database, lease, "")
        jobs.delete_job(self.database, "default", lease.job_id)

    @rule(seconds=st.sampled_from([1.0, GRACE / 2, 2 * GRACE]))
    def pass_time(self, seconds):
        """Who has said nothing for so long will not; a process says what a file is for at once, or dies."""
        self.store.pass_time(seconds)
        self.pending.clear()

    @rule(content=CONTENTS, late=st.booleans())
    def sweep(self, content, late):
        """While it runs, files come that it has looked at already, or is about to."""

        def meanwhile():
            self.store.meanwhile = lambda: None
            self.put(content)
            if late:
                self.upload()

        self.store.meanwhile = meanwhile
        sweep(self.database, self.store, GRACE)
        self.store.meanwhile = lambda: None

    @invariant()
    def nothing_is_missing(self):
        assert referred(self.database) | set(self.pending) <= self.store.files()


def test_whatever_happens_in_whatever_order_no_file_is_missed_and_no_orphan_stays(migrated):
    Life.migrated = migrated
    run = settings(max_examples=12, stateful_step_count=20)
    run_state_machine_as_test(Life, settings=run)
