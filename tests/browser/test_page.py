"""What a person can do with the page, in a real browser against a real gateway and worker."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.servers import wait_until

LONG = {"dataset": {"name": "spirals", "n": 5000}, "training": {"epochs": 5000, "batch_size": 16}}
"""More steps than any test waits for."""
SHORT = {"dataset": {"name": "spirals", "n": 5000}, "training": {"epochs": 2, "batch_size": 500}}
PLACES = {
    "": "Jobs",
    "#/new": "New job",
    "#/datasets": "Datasets",
    "#/catalog": "Catalog",
    "#/catalog/optimizers/adam": "adam",
    "#/workers": "Workers",
}
"""What pages are called, by where they are."""


@pytest.fixture
def long_job(anneal):
    """A job that is still running, whatever the test does with it."""
    job = anneal.client.post("/v1/jobs", json={"name": "a long one", **LONG}).raise_for_status().json()
    yield job["id"]
    anneal.client.post(f"/v1/jobs/{job['id']}/cancel")


@pytest.fixture(scope="module")
def short_job(trained):
    """A job that has ended, for who looks at what does not change: nothing trains meanwhile."""
    return trained({"name": "a short one", **SHORT})["id"]


def write(page: Page, spec: object) -> None:
    page.get_by_role("textbox", name="Spec").fill(spec if isinstance(spec, str) else json.dumps(spec, indent=2))


def step_of(page: Page) -> int:
    shown = page.get_by_label("Progress", exact=True).locator("dd").first.inner_text()
    return int(shown.split(" of ")[0].replace(",", ""))


def test_an_example_is_submitted_and_its_curves_are_shown_to_the_end(open_page):
    page = open_page()
    page.get_by_role("link", name="New job").first.click()
    page.get_by_role("button", name=re.compile("^Digits, carefully")).click()
    expect(page.get_by_label("What would run")).to_contain_text("1,438 train, 359 validate")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="digits with batch norm")).to_be_visible()
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    for title in ("loss", "accuracy", "lr"):
        expect(page.get_by_role("img", name=re.compile(f"^{title} over steps"))).to_be_visible()
    expect(page.get_by_label("Progress", exact=True)).to_contain_text("920 of 920")
    expect(page.get_by_role("status").last).to_contain_text("digits with batch norm is succeeded")


def test_a_curve_grows_while_it_is_looked_at_and_a_cancel_ends_it(open_page, long_job):
    page = open_page(f"#/jobs/{long_job}")
    plot = page.get_by_role("img", name=re.compile("^loss over steps"))
    expect(plot).to_be_visible()
    first = step_of(page)
    wait_until(lambda: step_of(page) > first, what="a later step")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job-head .state")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_label("Events", exact=True)).to_contain_text("cancelled")


def test_a_curve_grows_without_an_event_stream_too(open_page, anneal, long_job):
    page = open_page(f"#/jobs/{long_job}", broken="**/events")
    expect(page.get_by_role("img", name=re.compile("^loss over steps"))).to_be_visible()
    first = step_of(page)
    wait_until(lambda: step_of(page) > first, what="a later step")
    anneal.client.post(f"/v1/jobs/{long_job}/cancel")
    expect(page.locator(".job-head .state")).to_have_text("cancelled")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_paused_job_goes_on(open_page, long_job):
    page = open_page(f"#/jobs/{long_job}")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_the_list_follows_a_job_and_can_be_narrowed_to_a_state(open_page, anneal, long_job):
    page = open_page()
    row = page.get_by_role("row").filter(has_text="a long one").first
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("spirals")
    anneal.client.post(f"/v1/jobs/{long_job}/cancel")
    expect(row).to_contain_text("cancelled")
    page.get_by_label("State").select_option("running")
    expect(page.get_by_text("a long one")).to_have_count(0)


def test_a_fault_is_shown_at_its_line_while_the_spec_is_typed(open_page):
    page = open_page("#/new")
    write(page, {"dataset": {"name": "digits"}, "optimizer": {"name": "adamm"}})
    expect(page.locator(".faults li")).to_contain_text("adam")
    expect(page.locator(".gutter .wrong")).to_have_text(re.compile("^[67]$"))
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()
    write(page, {"dataset": {"name": "digits"}, "optimizer": {"name": "adam", "lr": 0.01}})
    expect(page.locator(".faults li")).to_have_count(0)
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


def test_what_looks_unwise_is_put_right_by_a_button(open_page):
    page = open_page("#/new")
    write(
        page, {"dataset": {"name": "wine"}, "preprocessing": {"numeric": {"name": "none"}}, "training": {"epochs": 2}}
    )
    plan, spec = page.get_by_label("What would run"), page.get_by_role("textbox", name="Spec")
    plan.get_by_role("button", name="Apply fix: /preprocessing/numeric").click()
    expect(spec).to_have_value(re.compile('"numeric": {"name": "standard"}'))
    plan.get_by_role("button", name="Apply fix: /training/epochs").click()
    expect(plan.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


def test_a_fix_of_what_was_left_out_is_written_where_it_belongs(open_page):
    page = open_page("#/new")
    write(page, {"dataset": {"name": "digits"}, "training": {"batch_size": 479}})
    plan = page.get_by_label("What would run")
    expect(plan).to_contain_text("a single row")
    plan.get_by_role("button", name="Apply fix").click()
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"drop_last": true'))
    write(page, {"dataset": {"name": "digits"}, "training": {"epochs": 200}, "optimizer": {"name": "sgd"}})
    plan.get_by_role("button", name="Apply fix: /schedule").click()
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"schedule": .*"cosine"'))
    expect(plan.get_by_role("button")).to_have_count(0)


def test_text_that_is_no_json_is_refused_before_anything_is_sent(open_page):
    page = open_page("#/new")
    write(page, '{\n  "dataset": digits\n}')
    expect(page.locator(".faults li")).to_contain_text("not JSON")
    expect(page.locator(".gutter .wrong")).to_have_text("2")


def test_a_spec_shows_what_differs_and_all_and_is_copied_as_a_command(open_page, anneal, short_job):
    page = open_page(f"#/jobs/{short_job}")
    spec = page.get_by_label("Spec", exact=True)
    expect(spec).to_contain_text("training.batch_size")
    expect(spec).to_contain_text("dataset.n")
    expect(spec).not_to_contain_text("betas")
    expect(spec).not_to_contain_text("dataset.turns")
    spec.get_by_role("button", name="All").click()
    expect(spec).to_contain_text("optimizer.betas")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    spec.get_by_role("button", name="Copy as curl").click()
    command = page.evaluate("navigator.clipboard.readText()")
    body = json.loads(re.search(r"-d '(.*)'$", command, re.DOTALL).group(1))
    (plan, wanted) = (
        anneal.client.post("/v1/jobs", params={"validate_only": "true"}, json=one).raise_for_status().json()["spec"]
        for one in (body, {"name": "a short one", **SHORT})
    )
    assert plan == wanted


def test_the_architecture_is_drawn_when_it_is_asked_for(open_page, short_job):
    page = open_page(f"#/jobs/{short_job}")
    card = page.get_by_role("region", name="Architecture")
    expect(card.get_by_role("img")).to_have_count(0)
    card.get_by_role("button", name="Show").click()
    picture = card.get_by_role("img", name="The layers of")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400


def test_a_job_that_diverges_says_why_and_where(open_page, anneal):
    spec = {
        "name": "too fast",
        "dataset": {"name": "badly_scaled"},
        "preprocessing": {"numeric": {"name": "none"}},
        "model": {"name": "linear"},
        "optimizer": {"name": "sgd", "lr": 100.0},
    }
    job = anneal.client.post("/v1/jobs", json=spec).raise_for_status().json()
    page = open_page(f"#/jobs/{job['id']}")
    expect(page.get_by_label("Why it failed")).to_contain_text("diverged")
    expect(page.locator(".odd").first).to_contain_text(re.compile("train/loss is (nan|inf) at step"))


def test_a_long_curve_says_that_it_is_sampled_and_zooming_in_asks_for_every_point(open_page, trained):
    spec = {"dataset": {"name": "spirals"}, "training": {"epochs": 800, "batch_size": 200, "evaluate_every_epochs": 50}}
    page = open_page(f"#/jobs/{trained(spec)['id']}")
    chart = page.locator("figure").filter(has=page.get_by_role("heading", name="loss"))
    expect(chart).to_contain_text("Sampled from 3,200 points")
    drag_over(page, chart)
    expect(page.get_by_role("button", name=re.compile("^Show all steps"))).to_be_visible()
    expect(chart).not_to_contain_text("Sampled")
    page.keyboard.press("r")
    expect(chart).to_contain_text("Sampled from 3,200 points")


def test_a_selection_asks_once_and_is_forgotten_when_it_is_taken_back_before_the_answer(open_page, anneal):
    spec = {"dataset": {"name": "wine"}, "training": {"epochs": 4}}
    job = anneal.client.post("/v1/jobs", json=spec).raise_for_status().json()
    page = open_page(f"#/jobs/{job['id']}")
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    held = []
    page.route("**/metrics?*to_step=*", lambda route: held.append(route))  # noqa: PLW0108 - playwright takes no builtin
    drag_over(page, page.locator("figure").first)
    page.wait_for_timeout(500)
    assert len(held) == 1
    page.keyboard.press("r")
    with page.expect_response("**/metrics?*to_step=*"):
        held[0].continue_()
    page.wait_for_timeout(500)
    expect(page.get_by_role("button", name=re.compile("^Show all steps"))).to_have_count(0)


def drag_over(page, chart):
    """Select a tenth of the steps."""
    box = chart.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
    page.mouse.up()


def test_a_chart_can_be_read_without_seeing_it(open_page, short_job):
    page = open_page(f"#/jobs/{short_job}")
    plot = page.get_by_role("img", name=re.compile("^loss over steps"))
    plot.focus()
    page.keyboard.press("Home")
    figure = page.locator("figure").filter(has=plot)
    expect(figure.get_by_role("status")).to_contain_text(re.compile(r"step 0: train/loss \d"))
    figure.get_by_role("button", name="Table").click()
    expect(page.get_by_role("region", name="Data table").get_by_role("columnheader", name="train/loss")).to_be_visible()


def test_a_file_becomes_a_dataset_and_its_column_the_target(open_page):
    page = open_page("#/new")
    rows = "\n".join(f"{x},{x % 7},{'high' if x > 60 else 'low'}" for x in range(120))
    file = {"name": "levels.csv", "mimeType": "text/csv", "buffer": f"a,b,level\n{rows}\n".encode()}
    page.get_by_label("Your data").locator("input[type=file]").set_input_files(file)
    page.get_by_label("Predict level").check()
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile('"target": "level"'))
    expect(page.get_by_label("What would run")).to_contain_text("96 train, 24 validate")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".job-head .state")).to_have_text("succeeded")


def test_a_dataset_is_listed_and_its_page_leads_to_where_a_job_on_it_is_written(open_page, anneal):
    rows = "\n".join(f"{x},{x % 5},{x * 2}" for x in range(120))
    file = {"file": ("doubles.csv", f"a,b,double\n{rows}\n".encode(), "text/csv")}
    known = anneal.client.post("/v1/datasets", files=file, data={"target": "double"}).raise_for_status().json()
    page = open_page()
    page.get_by_role("navigation").get_by_role("link", name="Datasets").click()
    row = page.get_by_role("row").filter(has_text="doubles.csv")
    for cell in ("ready", "double", "120", "3"):
        expect(row.get_by_role("cell", name=cell, exact=True)).to_be_visible()
    row.get_by_role("link", name="doubles.csv").click()
    page.get_by_role("link", name="New job on it").click()
    expect(page.get_by_label("Predict double")).to_be_checked()
    expect(page.get_by_role("textbox", name="Spec")).to_have_value(re.compile(known["id"]))
    expect(page.get_by_label("What would run")).to_contain_text("96 train, 24 validate")
    anneal.client.delete(f"/v1/datasets/{known['id']}").raise_for_status()


def test_what_new_jobs_push_off_the_first_page_stays_in_the_list(open_page, anneal):
    names = [f"numbered {index:02}" for index in range(53)]
    jobs = [
        anneal.client.post("/v1/jobs", json={"name": name, "resources": {"queue": "nobody"}, **LONG}).json()["id"]
        for name in names
    ]
    page = open_page()
    page.get_by_role("button", name="Older jobs").click()
    expect(page.get_by_role("link", name="numbered 00")).to_be_visible()
    jobs.append(anneal.client.post("/v1/jobs", json={"name": "the newest", **LONG}).json()["id"])
    expect(page.get_by_role("link", name="the newest")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^numbered"))).to_have_text(names[::-1])
    for job in jobs:
        anneal.client.post(f"/v1/jobs/{job}/cancel")


def test_a_worker_is_shown(open_page, anneal):
    page = open_page("#/workers")
    expect(page.get_by_text("online").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, anneal, long_job, short_job, scheme):
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    jobs = {f"#/jobs/{long_job}": "a long one", f"#/jobs/{short_job}": "a short one"}
    for route, heading in (PLACES | jobs).items():
        page.goto(anneal.url + "/" + route)
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        if heading == "a short one":
            expect(page.get_by_role("region", name="Model", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, route


def test_a_reader_who_prefers_dark_gets_dark(open_page):
    shades = [
        page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number).reduce((a, b) => a + b)"
        )
        for page in (open_page(color_scheme=scheme) for scheme in ("dark", "light"))
    ]
    dark, light = shades
    assert dark < 100
    assert light > 600


def test_the_keys_are_told_and_work(open_page):
    page = open_page()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("new job")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New job")).to_be_visible()


def test_a_job_that_does_not_exist_is_a_sentence(open_page):
    page = open_page("#/jobs/job_00000000000000000000000000000000")
    expect(page.get_by_role("alert")).to_contain_text("job")


def test_the_documentation_of_the_api_is_shown_without_any_other_server(open_page):
    page = open_page("docs")
    expect(page.get_by_role("link", name="/v1/jobs").first).to_be_visible()
