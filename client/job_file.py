"""A job as a file says it, with changes from the command line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from api_schemas.catalog.datasets import Digits
from api_schemas.errors import AnnealError
from api_schemas.jobs import JobSpec

Json: TypeAlias = Any
Spec: TypeAlias = dict[str, Json]


class BadJobFile(AnnealError):
    """The file or a change cannot be read as a job."""

    code, title = "bad_job_file", "Bad job file"


class _Loader(yaml.SafeLoader):
    """YAML whose numbers and dates are JSON's: `1e-3` is a number, `2026-11-23` is text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def read_spec(source: str) -> Spec:
    """Read a job from a JSON or YAML file; `-` is the standard input.

    Raises:
        OSError: when there is no such file.
        BadJobFile: when it is neither JSON nor YAML, or holds no object.
    """
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        spec = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506 - a safe one
    except (ValueError, yaml.YAMLError) as error:
        raise BadJobFile(f"{source} is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    if not isinstance(spec, dict):
        raise BadJobFile(f"{source} holds no job; the shortest one is: dataset: {{name: digits}}")
    return spec


def change(spec: Spec, assignment: str) -> Spec:
    """The spec with one value set, such as `optimizer.lr=0.1` or `model.hidden.0=64`.

    The value is read as JSON, else taken as text. On the way to it whatever the spec leaves out is named as the
    default would be, so that `optimizer.lr` alone means Adam's. An index one past the end of a list extends it.

    Raises:
        BadJobFile: when there is no such place.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise BadJobFile(f"cannot set {assignment!r}; write a path and a value, such as optimizer.lr=0.1")
    try:
        return _changed(spec, _defaults(), path.split("."), _value(text))
    except LookupError as error:
        raise BadJobFile(f"cannot set {assignment!r}: {error}") from error


def check(spec: Spec) -> None:
    """Make sure that JSON can say it.

    Raises:
        BadJobFile: when it cannot, as with NaN.
    """
    try:
        json.dumps(spec, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadJobFile(f"JSON cannot say this job: {error}") from error


def _value(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _defaults() -> Spec:
    return JobSpec(dataset=Digits()).model_dump(mode="json", exclude={"dataset"})


def _changed(here: Json, default: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    head, *rest = path
    here = _skeleton(default) if here is None else here
    if isinstance(here, dict):
        inside = default.get(head) if isinstance(default, dict) else None
        return {**here, head: _changed(here.get(head), inside, rest, value)}
    if isinstance(here, list):
        at = int(head) if head.isdecimal() else -1
        if not 0 <= at <= len(here):
            raise LookupError(f"{head!r} is no place in a list of {len(here)}")
        inside = here[at] if at < len(here) else None
        return [*here[:at], _changed(inside, None, rest, value), *here[at + 1 :]]
    raise LookupError(f"{json.dumps(here)} has nothing inside")


def _skeleton(default: Json) -> Json:
    """Of an object its name, of a list its elements: what a value inside cannot be understood without."""
    if isinstance(default, list):
        return [_skeleton(element) for element in default]
    if isinstance(default, dict):
        return {"name": default["name"]} if "name" in default else {}
    return {} if default is None else default
