"""Values and calls as Python source, and our own source without us."""

import pytest

from api_schemas.catalog.call import Call, Name
from script.imports import Imports
from script.page import Page
from script.sources import NotStandalone, Sources
from script.text import WIDTH, source


@pytest.mark.parametrize(
    "value",
    [
        1,
        1e-10,
        -0.5,
        True,
        None,
        "plain",
        'a "quoted" one',
        "it's",
        "line\nend",
        [1, 2],
        (1,),
        (1, 2),
        {"a": [0.1]},
        [],
    ],
)
def test_plain_data_reads_back_as_itself(value):
    assert eval(source(value, str)) == value


def test_what_is_too_long_for_a_line_has_an_item_a_line():
    value = {"names": [f"a long name {place}" for place in range(20)], "more": Call("dict", (), {"x": Name("y")})}
    text = "value = " + source(value, str, len("value = "))
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert '\n        "a long name 3",\n' in text
    assert '\n    "more": dict(x=y),\n}' in text


def test_nothing_else_can_be_printed():
    with pytest.raises(TypeError, match="object"):
        source(object(), str)


def test_calls_are_written_as_people_write_them():
    page = Page()
    layers = Call("torch.nn.Linear", (2, 3)), Call("torch.nn.ReLU")
    page.code(page.line("network = ", Call("torch.nn.Sequential", layers)))
    page.code(page.line("", Call("sklearn.metrics.accuracy_score", (Name("a"), Name("b")))))
    page.code(page.line("", Call("numpy.column_stack", ([Name("a")],))))
    text = page.text("Title")
    assert "from sklearn.metrics import accuracy_score\nfrom torch import nn\n" in text
    assert "network = nn.Sequential(\n    nn.Linear(2, 3),\n    nn.ReLU(),\n)\n" in text
    assert "np.column_stack([a])" in text


def test_a_definition_comes_behind_what_it_uses_and_only_once():
    imports = Imports()
    sources = Sources(imports)
    texts = sources.take("training.losses.Huber")
    assert [text.splitlines()[0] for text in texts] == ["class NumberLoss(nn.Module):", "class Huber(NumberLoss):"]
    assert "from torch.nn import functional" in imports.text()
    assert len(sources.take("training.losses.LogCosh")) == 1
    assert sources.take("training.losses.Huber") == []


def test_what_cannot_stand_alone_is_refused():
    with pytest.raises(NotStandalone, match="api_schemas"):
        Sources(Imports()).take("training.build.build")
    sources = Sources(Imports())
    sources.take("training.data.scaling.Affine")
    with pytest.raises(NotStandalone, match="no module"):
        sources.take("training.no_such_room.thing")
