"""A schedule looked at before a job has it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from api_schemas.catalog.schedule_entry import Factors
from api_schemas.catalog.schedules import Cosine, LinearWarmup

PATH = "/v1/catalog/schedules/preview"
PIECES = [{"name": "linear_warmup", "steps": 10}, {"name": "cosine"}]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_preview_has_the_rate_of_every_step_as_a_job_would(ask):
    answer = ask("POST", PATH, json={"schedule": PIECES, "lr": 0.003, "total_steps": 50, "steps_per_epoch": 5}).json()
    factors = Factors([LinearWarmup(steps=10), Cosine()], 50, 5)
    assert answer["lr"] == [0.003 * factors(step) for step in range(50)]
    assert answer["pieces"] == [
        {"name": "linear_warmup", "from_step": 0, "to_step": 9},
        {"name": "cosine", "from_step": 10, "to_step": 49},
    ]
    assert answer["depends_on_metrics"] is False


def test_a_preview_ends_where_the_run_does_and_a_last_piece_lasts_as_long(ask):
    for steps, seen in ((30, [(0, 19)]), (5, [(0, 4), (5, 19)])):
        schedule = [{"name": "linear_warmup", "steps": steps}, {"name": "cosine", "steps": 5}]
        pieces = ask("POST", PATH, json={"schedule": schedule, "total_steps": 20}).json()["pieces"]
        assert [(piece["from_step"], piece["to_step"]) for piece in pieces] == seen


def test_a_piece_that_follows_a_metric_is_shown_as_it_begins(ask):
    answer = ask("POST", PATH, json={"schedule": [{"name": "plateau"}], "lr": 0.1, "total_steps": 3}).json()
    assert answer["lr"] == [0.1, 0.1, 0.1]
    assert answer["depends_on_metrics"] is True


@pytest.mark.parametrize("asked", [{"headers": {"Accept": "image/svg+xml"}}, {"params": {"format": "svg"}}], ids=str)
def test_a_preview_is_a_picture_with_every_piece_under_its_name(ask, asked):
    answer = ask("POST", PATH, json={"schedule": PIECES, "lr": 0.003, "total_steps": 50}, **asked)
    assert answer.headers["content-type"].startswith("image/svg+xml")
    seen = [element.text for element in ET.fromstring(answer.text).iter(f"{SVG}text")]
    assert {"cosine", "learning rate", "step", "0.003"} <= set(seen)


@pytest.mark.parametrize("total", [1, 2, 2000, 2001, 30_001])
def test_a_run_of_any_length_can_be_drawn(ask, total):
    drawn = ask(
        "POST", PATH, json={"schedule": [{"name": "chebyshev"}], "total_steps": total}, params={"format": "svg"}
    )
    assert f"{total:,} steps" in drawn.text
    assert ("Sampled" in drawn.text) is (total > 2000)


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"schedule": PIECES, "total_steps": 1_000_001}, "/total_steps"),
        ({"schedule": []}, "/schedule"),
        ({"schedule": [{"name": "cosin"}]}, "/schedule/0/name"),
        ({"schedule": PIECES[::-1]}, "/schedule"),
        ({"schedule": PIECES, "steps": 5}, "/steps"),
    ],
    ids=str,
)
def test_a_question_that_has_no_answer_is_refused_at_its_place(ask, question, pointer):
    answer = ask("POST", PATH, json=question)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
