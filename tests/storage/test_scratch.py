"""A folder of files that are on their way stays while its owner lives, and no longer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from storage.scratch import scratch_folder, sweep_scratch
from storage.settings import Settings

OWNER = """
import sys, time
from storage.scratch import scratch_folder
from storage.settings import Settings

with scratch_folder(Settings(home=sys.argv[1]), "job-") as folder:
    (folder / "weights").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(100)
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def test_it_is_gone_with_its_owner(settings):
    with scratch_folder(settings, "job-") as folder:
        (folder / "weights").write_bytes(bytes(1000))
        assert folder.parent == settings.scratch()
        assert sweep_scratch(settings) == 0
    assert not folder.exists()


def test_once_its_owner_was_killed_the_next_one_deletes_it(settings):
    with subprocess.Popen([sys.executable, "-c", OWNER, settings.home], stdout=subprocess.PIPE, text=True) as owner:
        owner.stdout.readline()
        assert sweep_scratch(settings) == 0
        assert list(settings.scratch().glob("job-*/weights"))
        owner.kill()
    assert sweep_scratch(settings) == 1
    assert not list(settings.scratch().iterdir())
