"""What a job is judged by, as the page shows it: the job's own metrics, each by the way that it improves."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.servers import wait_until

JUDGED = {
    "ranked": {"dataset": {"name": "wine"}, "metrics": [{"name": "roc_auc"}, {"name": "calibration_error"}]},
    "missed by": {"dataset": {"name": "diabetes"}, "metrics": [{"name": "mae"}]},
    "loss alone": {"dataset": {"name": "wine"}, "metrics": []},
    "regression": {"dataset": {"name": "diabetes"}, "split": {"test": 0.2}},
}


@pytest.fixture(scope="module")
def jobs(anneal):
    """A short job of each kind, ended, by name."""
    post = anneal.client.post
    sent = [post("/v1/jobs", json={"name": name, "training": {"epochs": 4}, **spec}) for name, spec in JUDGED.items()]
    paths = [f"/v1/jobs/{answer.raise_for_status().json()['id']}" for answer in sent]
    ended = [wait_until(lambda path=path: _ended(anneal.client.get(path).json()), 120, path) for path in paths]
    return {job["name"]: job for job in ended}


def _ended(job):
    return job if job["terminal"] else None


@pytest.mark.parametrize(
    ("name", "charts"),
    [
        ("ranked", ["loss", "roc_auc", "calibration_error"]),
        ("missed by", ["loss", "mae"]),
        ("loss alone", ["loss"]),
        ("regression", ["loss", "r2", "mae"]),
    ],
)
def test_a_job_has_a_chart_of_each_metric_of_its_own_and_says_its_last_and_its_best(open_page, jobs, name, charts):
    page = open_page(f"#/jobs/{jobs[name]['id']}")
    expect(page.locator("figcaption h2")).to_have_text([*charts, "train/grad_norm", "lr"])
    tiles = page.get_by_label("Progress", exact=True).locator("dl > div")
    for key, summary in jobs[name]["metrics"].items():
        if key.startswith("train/"):
            continue
        tile = tiles.filter(has=page.get_by_text(key, exact=True))
        expect(tile).to_contain_text(f"{summary['last']:.4g}")
        if key.startswith("val/"):
            best = {"higher": "highest", "lower": "lowest"}[summary["better"]]
            expect(tile).to_contain_text(f"{best} {summary['best']:.4g} at step {summary['best_step']}")


def test_the_list_shows_the_best_of_the_metric_that_the_job_names_first(open_page, jobs):
    page = open_page()
    for name, metric in {"ranked": "roc_auc", "missed by": "mae", "regression": "r2", "loss alone": None}.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True)).first
        best = f"{metric} {jobs[name]['metrics'][f'val/{metric}']['best']:.4g}" if metric else "\N{EN DASH}"
        expect(row.locator('[data-label="Best"]')).to_have_text(best)


def test_a_log_axis_is_for_what_should_fall(open_page, jobs):
    page = open_page(f"#/jobs/{jobs['regression']['id']}")
    expect(page.locator("figcaption h2").first).to_be_visible()
    before = [plot.screenshot() for plot in page.locator(".plot").all()]
    page.get_by_label(re.compile("Log y")).check()
    page.wait_for_timeout(300)
    changed = [plot.screenshot() != image for plot, image in zip(page.locator(".plot").all(), before, strict=True)]
    assert changed == [True, False, True, True, False]  # loss, r2, mae, the gradient's norm, lr
