"""A job written in the form: drawn from the gateway's schema and catalog, one with the text beside it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from embedded.children import Child
from embedded.supervisor import gateway_is_ready, make_environment, pick_port
from tests.servers import wait_until

ONE_MORE = """
from typing import Literal
from api_schemas.catalog.optimizers import PlainOptimizerEntry

class Signum(PlainOptimizerEntry):
    '''Steps by the sign of the gradient, for a test.'''
    formula = "w = w - lr sign(g)"
    pitfall = "It never comes to rest."
    target = "torch.optim.SGD"
    name: Literal["signum"] = "signum"
    lr: float = 1e-4
    '''How far each weight goes.'''

import runpy
runpy.run_module("service", run_name="__main__")
"""
"""A gateway whose process defines one more entry, in one place."""


def text_of(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Spec")


def expect_spec(page: Page, spec: object) -> None:
    wait_until(lambda: json.loads(text_of(page).input_value()) == spec, what=f"the text to say {spec}")


def part(page: Page, *names: str) -> Locator:
    """A part of the form, opened by its summary, and the parts that it is in."""
    here = page.get_by_role("region", name="Settings")
    for name in names:
        summary = here.locator("summary").filter(has=page.get_by_text(name, exact=True)).first
        summary.click()
        here = summary.locator("xpath=..").get_by_role("group", name=name, exact=True).first
    return here


def test_an_optimizer_is_found_by_what_it_does_and_only_changed_knobs_are_written(open_page):
    page = open_page("#/new")
    optimizer = part(page, "optimizer")
    name = optimizer.get_by_role("combobox", name="optimizer: name")
    expect(name).to_have_value("adam")
    name.click()
    expect(page.get_by_role("option", name="adam", exact=False).and_(page.locator(".active"))).to_be_visible()
    name.press_sequentially("weight decay acts")
    expect(page.get_by_role("option").first).to_contain_text("adamw")
    name.press("Enter")
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "optimizer": {"name": "adamw"}})
    expect(optimizer).to_contain_text("Loshchilov")
    optimizer.get_by_label("lr", exact=True).press_sequentially("3e-2")
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "optimizer": {"name": "adamw", "lr": 0.03}})
    optimizer.get_by_label("lr", exact=True).fill("")
    name.click()
    name.press_sequentially("adam")
    name.press("Enter")
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}})


def test_an_entry_within_an_entry_is_chosen_where_it_stands(open_page):
    page = open_page("#/new")
    normalization = part(page, "model", "normalization")
    normalization.get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("^batch_norm")).click()
    normalization.get_by_label("momentum", exact=True).fill("0.2")
    model = {"name": "mlp", "normalization": {"name": "batch_norm", "momentum": 0.2}}
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "model": model})
    expect(page.get_by_label("What would run")).to_contain_text("parameters")


def test_the_form_follows_the_text_and_waits_where_the_text_is_no_json(open_page):
    page = open_page("#/new")
    rate = part(page, "optimizer").get_by_label("lr", exact=True)
    text_of(page).fill('{"dataset": {"name": "iris"}, "optimizer": {"name": "sgd", "lr": 0.5}}')
    expect(rate).to_have_value("0.5")
    text_of(page).fill('{"dataset": {"name": "iris"')
    expect(rate).to_be_disabled()
    expect(page.get_by_role("region", name="Settings")).to_contain_text("no JSON")
    text_of(page).fill('{"dataset": {"name": "iris"}}')
    expect(rate).to_be_enabled()
    expect(rate).to_have_value("")
    expect(rate).to_have_attribute("placeholder", "0.001")


def test_a_fault_is_said_at_its_knob(open_page):
    page = open_page("#/new")
    training = part(page, "training")
    training.get_by_label("epochs", exact=True).fill("0")
    expect(training.locator(".knob").filter(has_text="epochs").first).to_contain_text("input should be")
    expect(training.get_by_label("epochs", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("summary").filter(has_text="training")).to_contain_text("1 fault")
    training.get_by_label("epochs", exact=True).fill("two")
    expect(training.get_by_label("epochs", exact=True)).to_have_attribute("aria-invalid", "true")
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "training": {"epochs": 0}})


def test_pieces_of_a_schedule_are_added_chosen_moved_and_removed(open_page):
    page = open_page("#/new")
    schedule = part(page, "schedule")
    schedule.get_by_role("button", name="Add to schedule").click()
    second = schedule.get_by_role("group", name="schedule 2", exact=True)
    second.get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("^linear_warmup")).click()
    second.get_by_label("steps", exact=True).fill("60")
    schedule.get_by_role("button", name="Move schedule 2 up").click()
    pieces = [{"name": "linear_warmup", "steps": 60}, {"name": "constant"}]
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "schedule": pieces})
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    schedule.get_by_role("button", name="Remove schedule 1").click()
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "schedule": [{"name": "constant"}]})


def test_a_list_that_is_emptied_is_left_to_the_job_again(open_page):
    page = open_page("#/new")
    metrics = part(page, "metrics")
    expect(page.locator("summary").filter(has_text="metrics")).to_contain_text("accuracy")
    metrics.get_by_role("button", name="Add to metrics").click()
    metrics.get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("^f1_macro")).click()
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "metrics": [{"name": "f1_macro"}]})
    metrics.get_by_role("button", name="Remove metrics 1").click()
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}})


def test_what_a_job_need_not_have_is_switched_on_and_off(open_page):
    page = open_page("#/new")
    stopping = part(page, "training", "early_stopping")
    stopping.get_by_label("use it").check()
    stopping.get_by_label("patience", exact=True).fill("9")
    training = {"early_stopping": {"patience": 9}}
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "training": training})
    stopping.get_by_label("use it").uncheck()
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}})


def test_every_field_of_a_job_has_its_place_in_the_form(open_page, anneal):
    page = open_page("#/new")
    form = page.get_by_role("region", name="Settings")
    for name in anneal.client.get("/v1/jobs/schema").json()["properties"]:
        expect(form.get_by_text(name, exact=True).first).to_be_visible()


@pytest.fixture
def enlarged(deployment, tmp_path: Path) -> str:
    """The address of a gateway with one optimizer more."""
    here = deployment()
    program = tmp_path / "one_more.py"
    program.write_text(ONE_MORE)
    settings = here.settings.model_copy(update={"port": pick_port("127.0.0.1", 0)})
    gateway = Child(
        "gateway", [sys.executable, "-P", str(program)], make_environment(settings), settings.folder / "gateway.log"
    )
    here.processes.append(gateway)
    gateway.start()
    wait_until(lambda: gateway_is_ready(settings), 60, "the gateway")
    return f"http://127.0.0.1:{settings.port}"


def test_an_entry_that_is_added_is_in_schema_catalog_and_form(enlarged, open_page):
    page = open_page("#/catalog/optimizers/signum", at=enlarged)
    expect(page.get_by_role("main")).to_contain_text("It never comes to rest.")
    page.get_by_role("button", name="Use it in a new job").click()
    expect_spec(page, {"name": "digits", "dataset": {"name": "digits"}, "optimizer": {"name": "signum"}})
    optimizer = part(page, "optimizer")
    expect(optimizer.get_by_role("combobox")).to_have_value("signum")
    optimizer.get_by_label("lr", exact=True).fill("0.5")
    expect(optimizer).to_contain_text("How far each weight goes.")
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    named = page.evaluate(
        "fetch('/openapi.json').then((answer) => answer.text()).then((text) => text.includes('signum'))"
    )
    assert named
