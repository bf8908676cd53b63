"""The `anneal` command, as a person and as a script use it."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api_schemas.errors import Unauthorized
from api_schemas.jobs import Job, Plan
from client import Client
from tests.client.misbehaving import misbehaving, refusal
from tests.servers import wait_until

COMMAND = [sys.executable, "-c", "import sys; from client.command import main; sys.exit(main())"]
SHORT = ("submit", "--dataset", "wine", "--set", "training.epochs=2")
DIVERGING = (
    *("submit", "--dataset", "badly_scaled", "--set", "preprocessing.numeric.name=none"),
    *("--set", "optimizer.name=sgd", "--set", "optimizer.lr=1000"),
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANNEAL_")}
    return {**clean, "COLUMNS": "120", "TERM": "xterm-256color", **settings}


def command(*arguments: str, text: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**settings),
        input=text,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def run(anneal) -> Run:
    """Run a command against the gateway."""
    return lambda *arguments, **more: command(*arguments, ANNEAL_URL=anneal.url, **more)


@pytest.fixture
def client(anneal):
    with Client(anneal.url) as client:
        yield client


def short(client: Client, **spec: str) -> str:
    """The id of a job that the client submitted: a command takes as long to start as the job to end."""
    return client.jobs.create({"dataset": {"name": "wine"}, "training": {"epochs": 2}, **spec}).id


@pytest.fixture
def endless(client):
    """The id of a job that trains until it is cancelled."""
    job_id = client.jobs.create({"dataset": {"name": "digits"}, "training": {"epochs": 100_000}}).id
    wait_until(lambda: client.jobs.get(job_id).progress.step > 0, 60)
    yield job_id
    client.jobs.cancel(job_id)
    client.jobs.wait(job_id, timeout=60)


def test_submit_prints_the_id_alone_for_a_script(run: Run, client) -> None:
    done = run(*SHORT)
    assert done.returncode == 0
    assert client.jobs.get(done.stdout.strip()).name == "untitled"


def test_submit_that_waits_exits_as_the_job_ends(run: Run) -> None:
    done = run(*SHORT, "--wait", "--json")
    assert done.returncode == 0
    assert Job.model_validate_json(done.stdout).state == "succeeded"
    failed = run(*DIVERGING, "--wait")
    assert failed.returncode == 1
    assert "diverged" in failed.stdout


def test_submit_reads_yaml_with_changes_over_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("name: from a file\ndataset: {name: digits}\noptimizer: {name: sgd, lr: 1e-2}\n")
    done = run(
        *("submit", "-f", str(tmp_path / "job.yaml"), "--dataset", "iris", "--set", "training.epochs=1", "--json")
    )
    spec = Job.model_validate_json(done.stdout).spec
    assert (spec.name, spec.dataset.name, spec.optimizer.lr, spec.training.epochs) == ("from a file", "iris", 0.01, 1)


def test_submit_reads_its_input(run: Run) -> None:
    assert run("submit", "-f", "-", text='{"dataset": {"name": "wine"}, "training": {"epochs": 1}}').returncode == 0


def test_a_dry_run_says_what_would_run_and_submits_nothing(run: Run, client) -> None:
    done = run(*SHORT, "--set", "name=only planned", "--dry-run", "--json")
    assert Plan.model_validate_json(done.stdout).spec.training.epochs == 2
    assert "steps\t" in run(*SHORT, "--dry-run").stdout
    assert not list(client.jobs.list(name="only planned"))


def test_a_refused_job_is_told_place_by_place(run: Run) -> None:
    done = run("submit", "--dataset", "digits", "--set", "optimizer.lr=-1", "--set", "training.epochs=many")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "\n  /optimizer/lr: " in done.stderr
    assert "\n  /training/epochs: " in done.stderr


def test_script_writes_the_program_as_it_is_to_a_pipe_or_a_file(run: Run, client, tmp_path: Path) -> None:
    job_id = client.jobs.wait(short(client), timeout=60).id
    program = client.jobs.script(job_id)
    assert run("script", job_id).stdout == program
    file = tmp_path / "run.py"
    assert run("script", job_id, "--output", str(file)).stdout == ""
    assert file.read_text(encoding="utf-8") == program
    assert run("script", job_id, "--curl").stdout.strip().endswith(f"/v1/jobs/{job_id}/script")


def test_ls_has_a_line_for_each_job_with_its_id_first(run: Run, client) -> None:
    ids = [short(client, name="listed") for _ in range(2)]
    lines = run("ls", "--limit", "2").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [[each, "listed"] for each in reversed(ids)]
    assert [each["id"] for each in json.loads(run("ls", "--limit", "2", "--json").stdout)] == ids[::-1]


def test_show_tells_a_name_with_brackets_as_it_is(run: Run, client) -> None:
    assert "lr [0.1]" in run("show", short(client, name="lr [0.1]")).stdout


def test_watch_in_a_pipe_says_plain_lines_until_the_end(run: Run, client) -> None:
    done = run("watch", short(client))
    assert done.returncode == 0
    assert "✔ succeeded" in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout


def test_watch_tells_events_as_json_lines(run: Run, client) -> None:
    lines = run("watch", short(client), "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(1, len(lines) + 1))


def test_watch_at_a_terminal_shows_a_bar_and_a_curve(client, anneal) -> None:
    screen = at_a_terminal("watch", short(client), ANNEAL_URL=anneal.url)
    assert "━" in screen
    assert re.search(r"[▁▂▃▄▅▆▇█]+ +train/loss \d", screen)
    assert re.search(r"[▁▂▃▄▅▆▇█]+ +val/accuracy \d", screen)
    assert "✔ succeeded" in screen


def test_a_job_that_diverges_ends_its_view_with_the_reason(anneal) -> None:
    screen = at_a_terminal(*DIVERGING, "--watch", ANNEAL_URL=anneal.url)
    assert "✘ failed" in screen
    assert "step" in screen.rpartition("✘ failed")[2]


def test_cancelled_jobs_exit_with_2(run: Run, endless: str) -> None:
    assert run("cancel", endless).returncode == 0
    done = run("watch", endless, "--exit-status")
    assert done.returncode == 2
    assert "■ cancelled" in done.stdout


def test_ctrl_c_leaves_a_watched_job_training_and_says_how_to_come_back(endless: str, client, anneal) -> None:
    watching = subprocess.Popen(
        [*COMMAND, "watch", endless],
        env=environment(ANNEAL_URL=anneal.url, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout.readline().startswith("running")
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert f"anneal watch {endless}" in said
    assert f"anneal cancel {endless}" in said
    assert client.jobs.get(endless).state == "running"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_curl_that_is_shown_does_the_same(run: Run, client) -> None:
    shown = run(*SHORT, "--set", "name=it's by curl", "--curl").stdout
    assert not list(client.jobs.list(name="by curl"))
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    job = Job.model_validate_json(done.stdout)
    assert (job.name, job.spec.training.epochs) == ("it's by curl", 2)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_curl_of_an_upload_uploads(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,y\n" + "".join(f"{i},{i}\n" for i in range(50)))
    shown = run("datasets", "add", str(table), "--target", "y", "--curl").stdout
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["target"] == "y"


def test_a_key_is_not_in_the_curl_that_is_shown(run: Run) -> None:
    shown = run("ls", "--curl", "--key", "ann_secret").stdout
    assert "ann_secret" not in shown
    assert '"Authorization: Bearer $ANNEAL_API_KEY"' in shown


def test_a_table_is_added_and_trained_on(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "sales.csv"
    table.write_text("number,sold\n" + "".join(f"{i},{['no', 'yes'][i % 2]}\n" for i in range(100)))
    added = run("datasets", "add", str(table), "--target", "sold")
    dataset_id = added.stdout.strip()
    assert added.returncode == 0
    assert dataset_id in run("datasets", "ls").stdout
    assert run("submit", "--dataset", dataset_id, "--set", "training.epochs=1", "--wait").returncode == 0


def test_a_file_that_is_no_table_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    done = run("datasets", "add", str(tmp_path / "empty.csv"))
    assert done.returncode == 1
    assert "empty" in done.stderr


def test_the_catalog_explains_an_entry(run: Run) -> None:
    assert "optimizers\tadam\t" in run("catalog", "optimizers").stdout
    assert "weight_decay" in run("catalog", "optimizers", "adamw").stdout
    assert run("catalog", "optimizers", "adamm").returncode == 1


def test_options_of_every_command_may_stand_on_either_side(anneal) -> None:
    for arguments in (["--url", anneal.url, "--json", "ls"], ["ls", "--json", f"--url={anneal.url}"]):
        assert isinstance(json.loads(command(*arguments).stdout), list)


def test_what_is_missing_is_said_in_a_sentence(run: Run, tmp_path: Path) -> None:
    said = {
        ("show", "job_0"): "job_0",
        ("submit", "-f", str(tmp_path / "no.json")): "no.json: No such file or directory\n",
        ("lss",): "Did you mean 'ls'?",
        ("submit",): "--dataset",
    }
    for arguments, part in said.items():
        done = run(*arguments)
        assert done.returncode == 1
        assert part in done.stderr


def test_a_gateway_that_is_away_is_said_with_the_remedy() -> None:
    with misbehaving([refusal(Unauthorized("no"))]) as gone:
        pass
    done = command("ls", "--url", gone.url)
    assert done.returncode == 1
    assert gone.url in done.stderr
    assert "anneal up" in done.stderr


def test_a_caller_without_a_key_exits_with_4() -> None:
    with misbehaving([refusal(Unauthorized("this gateway needs an API key"))]) as closed:
        done = command("ls", "--url", closed.url)
    assert done.returncode == 4
    assert "this gateway needs an API key" in done.stderr


def test_a_key_is_made_shown_once_listed_without_its_secret_and_revoked(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    made = command("keys", "create", "ci", ANNEAL_HOME=home)
    secret = made.stdout.strip()
    assert re.fullmatch(r"ann_\S{40,}", secret)
    listed = command("keys", "ls", ANNEAL_HOME=home).stdout
    assert "\tci\tdefault\t" in listed
    assert secret not in listed
    key_id = listed.split("\t")[0]
    assert command("keys", "revoke", key_id, ANNEAL_HOME=home).returncode == 0
    assert command("keys", "ls", ANNEAL_HOME=home).stdout == ""
    assert command("keys", "revoke", key_id, ANNEAL_HOME=home).returncode == 1


def test_a_database_that_does_not_answer_is_said_to(tmp_path: Path) -> None:
    for arguments in (["migrate"], ["keys", "ls"]):
        done = command(*arguments, ANNEAL_DATABASE_URL="postgresql+psycopg://anneal:secret@127.0.0.1:1/anneal")
        assert done.returncode == 1
        assert "the database does not answer" in done.stderr
        assert "secret" not in done.stderr


def test_a_setting_that_cannot_be_is_named() -> None:
    done = command("migrate", ANNEAL_PORT="eighty")
    assert done.returncode == 1
    assert "\n  ANNEAL_PORT: " in done.stderr


def at_a_terminal(*arguments: str, **settings: str) -> str:
    """What a terminal of 120 columns is sent, without its control sequences."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], env=environment(**settings), stdout=theirs, stderr=theirs)
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 4096):
            sent += part
    except OSError:
        pass  # how Linux tells that the other side is closed
    process.wait(timeout=60)
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sent.decode())
