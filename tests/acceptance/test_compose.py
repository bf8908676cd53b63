"""The production shape: what docker-compose.yml says, run for real without an engine for containers.

The file is checked against the Compose Specification (compose-spec.json beside this file, licensed as
compose-spec.LICENSE says). Then the very commands and environments of its services are started, with hosts, ports and
folders replaced by those of this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from psycopg import sql
from redis import Redis
from redis.exceptions import ConnectionError as NoRedis

from embedded.broker import find_server
from embedded.children import Child
from embedded.supervisor import pick_port
from tests.servers import Postgres, wait_until

ROOT = Path(__file__).parents[2]
SECRETS = {"POSTGRES_PASSWORD": "database-secret", "REDIS_PASSWORD": "broker-secret"}


def read_compose() -> dict[str, Any]:
    """The file with its variables filled in."""
    text = (ROOT / "docker-compose.yml").read_text()
    return yaml.safe_load(re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", _variable, text))


def _variable(match: re.Match[str]) -> str:
    return SECRETS.get(match[1]) or match[2] or ""


def read_image(target: str) -> dict[str, list[str]]:
    """What a target of the Dockerfile runs (`CMD`) and how its health is checked (`HEALTHCHECK`)."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stage = re.split(r"^FROM .*", text.partition(f" AS {target}\n")[2], flags=re.MULTILINE)[0]
    found = re.findall(r"^(CMD|HEALTHCHECK).*?(\[.*\])$", stage, re.MULTILINE)
    return {instruction: json.loads(words) for instruction, words in found}


@dataclass
class Composition:
    """The file's services as processes of this machine."""

    services: dict[str, Any]
    replacements: dict[str, str]
    folder: Path
    port: int

    def environment(self, service: str) -> dict[str, str]:
        """All of a service's environment."""
        own = {name: self._here(str(value)) for name, value in self.services[service]["environment"].items()}
        # One thread each: beside other tests, the threads of two trainers would only wait for each other's cores.
        machine = {"PATH": os.environ["PATH"], "ANNEAL_HOME": str(self.folder), "ANNEAL_THREADS": "1"}
        return machine | own

    def command(self, service: str) -> list[str]:
        """A service's command: the file's, else its image's."""
        description = self.services[service]
        words = description.get("command") or read_image(description["build"]["target"])["CMD"]
        return [self._here(word) for word in words]

    def health_check(self, service: str) -> list[str]:
        """The command by which a service's health is checked."""
        return [self._here(word) for word in read_image(self.services[service]["build"]["target"])["HEALTHCHECK"]]

    def run(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's environment, as `docker compose exec` does."""
        environment = self.environment(service)
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    def is_healthy(self, service: str) -> bool:
        """What the health check of a service's image says."""
        return self.run(service, *self.health_check(service)).returncode == 0

    def start(self, service: str, name: str, stack: ExitStack) -> None:
        """Start a service; it is killed when the stack is left, and says what it logged."""
        child = Child(name, self.command(service), self.environment(service), self.folder / f"{name}.log")
        stack.callback(lambda: print(name, child.tail(), sep="\n"))
        stack.callback(child.kill)
        child.start()

    def _here(self, word: str) -> str:
        for there, here in self.replacements.items():
            word = word.replace(there, here)
        return sys.executable if word == "python" else word


@pytest.fixture
def composition(postgres: Postgres, tmp_path: Path) -> Iterator[Composition]:
    """All services of the file, healthy, two workers among them."""
    ports = {name: pick_port("127.0.0.1", 0) for name in ("gateway", "redis")}
    replacements = {
        "8000": str(ports["gateway"]),
        "postgres:5432": f"127.0.0.1:{postgres.port}",
        "redis:6379": f"127.0.0.1:{ports['redis']}",
        "/var/lib/anneal": str(tmp_path),
    }
    composed = Composition(read_compose()["services"], replacements, tmp_path, ports["gateway"])
    with ExitStack() as stack:
        create_database(postgres, composed.environment("postgres"))
        start_redis(composed, ports["redis"], stack)
        migrated = composed.run("migrate", *composed.command("migrate"))
        assert migrated.returncode == 0, migrated.stderr
        for service, name in (("gateway", "gateway"), ("worker-cpu", "worker-1"), ("worker-cpu", "worker-2")):
            composed.start(service, name, stack)
        wait_until(lambda: composed.is_healthy("gateway") and composed.is_healthy("worker-cpu"), 60, "health")
        yield composed


def create_database(postgres: Postgres, environment: dict[str, str]) -> None:
    """Make the user and the database that the image makes at its first start."""
    user, name = (sql.Identifier(environment[f"POSTGRES_{what}"]) for what in ("USER", "DB"))
    password = sql.Literal(environment["POSTGRES_PASSWORD"])
    postgres.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name),
        sql.SQL("DROP ROLE IF EXISTS {}").format(user),
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(user, password),
        sql.SQL("CREATE DATABASE {} OWNER {}").format(name, user),
    )


def start_redis(composed: Composition, port: int, stack: ExitStack) -> None:
    """Start the broker with the file's arguments and a free port."""
    program, *arguments = composed.command("redis")
    assert program == "redis-server"
    arguments += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(composed.folder)]
    broker = Child("redis", [str(find_server()), *arguments], {}, composed.folder / "redis.log")
    stack.callback(broker.kill)
    broker.start()
    with Redis(port=port, password=SECRETS["REDIS_PASSWORD"]) as redis:
        wait_until(lambda: answers(redis), 10, "redis")


def answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except NoRedis:
        return False


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())

    jsonschema.Draft202012Validator(schema).validate(read_compose())


def test_every_service_restarts_has_its_health_checked_and_waits_for_what_it_needs() -> None:
    services = read_compose()["services"]
    for name, service in services.items():
        assert service["restart"] in ("unless-stopped", "on-failure:5"), name
        if name != "migrate":
            assert "healthcheck" in service or "HEALTHCHECK" in read_image(service["build"]["target"]), name
    for name in ("gateway", "worker-cpu", "worker-gpu"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}(.*?)\}}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses)


@pytest.mark.timeout(300)
def test_a_job_trains_in_the_composition_for_whoever_has_a_key(composition: Composition) -> None:
    url = f"http://127.0.0.1:{composition.port}"
    assert httpx.get(f"{url}/v1/jobs").status_code == 401, "open to everyone"
    made = composition.run("gateway", str(Path(sys.executable).parent / "anneal"), "keys", "create", "me")
    key = re.search(r"ann_[\w-]+", made.stdout)
    assert key is not None, made.stdout + made.stderr

    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key[0]}"}, timeout=60) as client:
        wait_until(lambda: sum(it["online"] for it in client.get("/v1/workers").json()["data"]) == 2, 30, "two workers")
        jobs = [client.post("/v1/jobs", json={"dataset": {"name": "digits"}}).json()["id"] for _ in range(2)]
        for job in jobs:
            assert end_state(client, job) == "succeeded"
            series = client.get(f"/v1/jobs/{job}/metrics", params={"keys": "val/accuracy"}).json()["series"]
            assert series[0]["value"][-1] >= 0.96


def end_state(client: httpx.Client, job: str) -> str:
    def finished() -> dict[str, Any] | None:
        answer = client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=5"}).json()
        return answer if answer["terminal"] else None

    return wait_until(finished, 120, "the job")["state"]
