"""Whatever a job can name, its script can be written, and prints the numbers of its run."""

import pytest

from script.program import write_script
from tests.script.catalog import KINDS, jobs_of
from tests.script.runs import job_of, run_all, tidy


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_has_a_tidy_script(kind, tmp_path):
    paths = [tmp_path / f"{name}.py" for name in jobs_of(kind)]
    for path, job in zip(paths, jobs_of(kind).values(), strict=True):
        path.write_text(write_script(job_of(job), None))
    tidy(paths)


@pytest.mark.verify
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_the_script_of_every_entry_prints_the_numbers_of_its_run(kind, tmp_path):
    told = run_all(jobs_of(kind), tmp_path)
    differ = [name for name, (_, expected, printed) in told.items() if printed != expected]
    assert not differ
    assert all(expected[-1].startswith("weights_sha256 ") for _, expected, _ in told.values())
