"""How long a page of a list takes among 10,000 jobs, by each filter, and whether one among ten takes less."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import httpx

from benchmarks.http_load import load, request
from benchmarks.one_gateway import gateway
from benchmarks.stored_jobs import COURSES, fill

FILTERS = {
    "none": "",
    "state, half of them": "state=queued",
    "state, none of them": "state=failed",
    "tag, a tenth of them": "tag=course:lecture-3",
    "tag, none of them": "tag=course:none",
    "name, a seventh of them": "name=second",
    "name, none of them": "name=nothing",
    "dataset, none of them": "dataset=ds_none",
    "created after, all of them": "created_after=2000-01-01T00:00:00Z",
    "created before, none of them": "created_before=2000-01-01T00:00:00Z",
    "oldest first": "sort=created_at",
    "200 a page": "limit=200",
    "all at once": f"state=queued&tag=course:lecture-{COURSES - 1}&name=second&created_after=2000-01-01T00:00:00Z",
}


def deep(port: int, pages: int) -> str:
    """The cursor of a page far down the list."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
        cursor = ""
        for _ in range(pages):
            answer = http.get("/v1/jobs", params={"limit": 200} | ({"cursor": cursor} if cursor else {})).json()
            cursor = answer["next_cursor"] or cursor
        return cursor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=60)
    given = parser.parse_args()
    print("| filter | p50, ms | p95, ms |\n| --- | --- | --- |")
    for count in (10, given.jobs):
        with tempfile.TemporaryDirectory() as home:
            fill(Path(home), count, ended=count // 2)
            with gateway(Path(home)) as (port, _):
                asked = FILTERS if count > 10 else {"none, of ten jobs": ""}
                if count > 10:
                    asked = asked | {"none, the last page": f"cursor={deep(port, count // 200 - 1)}"}
                for name, query in asked.items():
                    found = load(port, [request("GET", f"/v1/jobs?{query}")], connections=1, most=given.repeats)
                    assert set(found.statuses) == {200}, (name, found.statuses)
                    print(f"| {name} | {found.milliseconds(50):.1f} | {found.milliseconds(95):.1f} |", flush=True)


if __name__ == "__main__":
    main()
