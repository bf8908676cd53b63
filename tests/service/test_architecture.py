"""What a person sees of a network in its picture, read back from the SVG's own labels."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from api_schemas.catalog.flow import entering
from api_schemas.catalog.layers import InputShape, parameter_count
from api_schemas.catalog.models import ModelEntry
from api_schemas.jobs import JobSpec
from api_schemas.plan import architecture, make_plan
from service.outline import Box, Branch, Repeat, outline, parameters
from service.plot_network import network_svg

SVG = "{http://www.w3.org/2000/svg}"
DIGITS = InputShape(64, (8, 8))
STEPS = InputShape(36, (12, 3))
TEXT = InputShape(16, tokens=(16, 50))


def network(name: str, shape: InputShape, **knobs):
    entry = ModelEntry.find(name).model_validate({"name": name, **knobs})
    return entry.network(shape, shape.tokens[1] if shape.tokens else 10)


def shape_of(name: str) -> InputShape:
    return TEXT if name == "gpt" else STEPS if name in ("rnn", "lstm", "gru", "tcn", "transformer") else DIGITS


def draw(name: str, shape: InputShape, **knobs) -> ET.Element:
    return ET.fromstring(network_svg(name, "", network(name, shape, **knobs), shape))


def texts(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", ModelEntry.names())
def test_no_parameter_is_lost_between_the_network_and_its_picture(name):
    shape = shape_of(name)
    described = network(name, shape)
    assert parameters(outline(described, entering(shape))) == parameter_count(described)
    drawn = ET.fromstring(network_svg(name, "", described, shape))
    width, height = (float(drawn.get(side) or 0) for side in ("width", "height"))
    for box in (one for one in drawn.iter(f"{SVG}rect") if one.get("x")):
        left, top, wide, high = (float(box.get(side) or 0) for side in ("x", "y", "width", "height"))
        assert left >= 0
        assert left + wide <= width
        assert top + high <= height


def test_a_box_names_a_layer_what_belongs_to_it_the_axes_behind_it_and_its_parameters():
    seen = texts(draw("cnn", DIGITS, channels=[16, 32], normalization={"name": "batch_norm"}))
    for expected in (
        "a row: 8 x 8",
        "Conv2d 3 x 3",
        "BatchNorm2d → ReLU → MaxPool2d 2 x 2",
        "16 x 4 x 4",
        f"{16 * 9 + 16 + 2 * 16:,} parameters",
        "Linear",
        "1,290 parameters",
    ):
        assert expected in seen


def test_a_hundred_layers_that_repeat_are_said_once():
    units = outline(network("resnet", DIGITS, blocks=18), entering(DIGITS))
    stages = [unit.times for unit in units if isinstance(unit, Repeat)]
    assert stages == [18, 17, 17]
    assert len(texts(draw("resnet", DIGITS, blocks=18))) < 70
    assert "x 18" in texts(draw("resnet", DIGITS, blocks=18))


def test_attention_and_perceptron_repeat_together_each_added_to_what_it_was_given():
    _, blocks, scores = outline(network("gpt", TEXT, layers=12), entering(TEXT))
    assert isinstance(blocks, Repeat)
    assert blocks.times == 12
    attention, perceptron = blocks.units
    assert isinstance(attention, Branch)
    assert isinstance(perceptron, Branch)
    assert [box.title for box in attention.body if isinstance(box, Box)] == ["CausalAttention, 4 heads"]
    assert isinstance(scores, Box)
    assert (scores.title, scores.leaving) == ("Linear, tied to the embedding", (16, 50))


def test_a_branch_whose_shape_changes_says_what_carries_the_input_past_it():
    assert "Conv2d 1 x 1, stride 2 → BatchNorm2d" in texts(draw("resnet", DIGITS))


def test_layers_that_differ_are_all_drawn():
    layers = [{"name": "linear", "units": units} for units in range(20, 120)]
    seen = texts(draw("layers", InputShape(9), layers=[*layers, {"name": "linear"}]))
    assert seen.count("Linear") == 101


def test_a_name_of_any_letters_is_only_text():
    described = network("mlp", DIGITS)
    drawn = ET.fromstring(network_svg("<script>&\x07", "", described, DIGITS))
    assert "<script>&\ufffd" in texts(drawn)


def test_a_job_and_a_plan_are_drawn_over_http(ask):
    spec = {"name": "eights", "dataset": {"name": "digits"}, "model": {"name": "cnn"}}
    planned = ask("POST", "/v1/architecture.svg", json=spec)
    job = ask("POST", "/v1/jobs", json=spec).json()
    stored = ask("GET", f"/v1/jobs/{job['id']}/architecture.svg")
    assert planned.text == stored.text
    assert stored.headers["content-type"] == "image/svg+xml"
    assert {"eights", f"cnn, {job['parameters']:,} parameters"} <= set(texts(ET.fromstring(stored.content)))
    again = {"If-None-Match": stored.headers["etag"]}
    assert ask("GET", f"/v1/jobs/{job['id']}/architecture.svg", headers=again).status_code == 304
    assert ask("GET", f"/v1/jobs/{job['id']}/architecture.png").content[:8] == b"\x89PNG\r\n\x1a\n"
    assert job["flops_per_step"] == make_plan(JobSpec.model_validate(spec), None).flops_per_step


def test_what_cannot_train_is_refused_and_not_drawn(ask):
    answer = ask("POST", "/v1/architecture.svg", json={"dataset": {"name": "wine"}, "model": {"name": "cnn"}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/model/name"


def test_the_network_of_a_settled_spec_is_the_one_that_was_planned():
    plan = make_plan(JobSpec.model_validate({"dataset": {"name": "diabetes"}}), None)
    described, shape = architecture(plan.spec, None)
    assert (parameter_count(described), shape.width) == (plan.parameters, 10)
