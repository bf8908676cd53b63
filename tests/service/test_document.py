"""What the API's own document says."""

import pytest

from service.app import create_app
from storage.settings import Settings


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    app = create_app(Settings(home=tmp_path_factory.mktemp("home")))
    return app.openapi()["components"]["schemas"]


def test_a_moment_is_told_from_any_text(schemas):
    for kind, field in (("Job", "created_at"), ("Dataset", "created_at"), ("Event", "at")):
        assert schemas[kind]["properties"][field]["format"] == "date-time"


def test_what_a_job_says_has_one_schema_going_in_and_coming_out(schemas):
    assert not [name for name in schemas if name.endswith(("-Input", "-Output"))]
