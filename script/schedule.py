"""A schedule written as functions of the step."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.schedule_entry import Placed, ScheduleEntry, lay_out
from api_schemas.catalog.schedules import Constant
from api_schemas.jobs import Plan
from script.page import Page
from script.text import WIDTH

_SELF = re.compile(r"\bself\.(\w+)")


@dataclass(frozen=True)
class Watch:
    """A piece that follows a metric, and when it looks."""

    variable: str
    """What the script calls it."""
    metric: str
    start: int
    """The first step whose evaluation it sees."""
    end: int
    """The first step whose evaluation it no longer sees."""


def is_constant(pieces: Sequence[ScheduleEntry]) -> bool:
    """Whether a schedule leaves everything as it is."""
    return all(isinstance(piece, Constant) and piece.value == 1 for piece in pieces)


def write_schedule(
    page: Page, name: str, meaning: str, base: float | None, pieces: Sequence[ScheduleEntry], plan: Plan
) -> list[Watch]:
    """Write a function of the step, with the functions of its pieces above it.

    Args:
        page: the script.
        name: of the function.
        meaning: its docstring.
        base: what the pieces' factors are multiplied with; None for the factor itself.
        pieces: the schedule.
        plan: how long the run is.

    Returns:
        The pieces that have to be told of evaluations.
    """
    placed = lay_out(pieces, plan.total_steps, plan.steps_per_epoch)
    ends = [place.start + place.length for place in placed[:-1]] + [plan.total_steps]
    watches = [
        _follow(page, place, end) for place, end in zip(placed, ends, strict=True) if place.piece.metric_followed
    ]
    scaled = "" if base is None else f"{base!r} * "
    lines = [f"def {name}(step: int) -> float:", f'    """{meaning}"""']
    for place, end in zip(placed[:-1], ends, strict=False):
        lines += [f"    if step < {end}:", page.line(f"        return {scaled}", _factor(page, place, end, plan))]
    page.code("\n".join([*lines, page.line(f"    return {scaled}", _factor(page, placed[-1], ends[-1], plan))]))
    return watches


def _follow(page: Page, place: Placed, end: int) -> Watch:
    """Make the object that a piece asks which follows a metric."""
    piece, follower = place.piece, place.piece.follower()
    if follower is None or piece.metric_followed is None:
        raise TypeError(f"{piece.name} follows no metric")
    kind = type(follower)
    knobs = {knob: getattr(follower, knob) for knob in inspect.signature(kind).parameters}
    page.code(page.line(f"{_follower_name(place)} = ", Call(f"{kind.__module__}.{kind.__name__}", (), knobs)))
    return Watch(_follower_name(place), piece.metric_followed, place.start, end)


def _follower_name(place: Placed) -> str:
    return f"{place.piece.name}_{place.start}" if place.start else place.piece.name


def _factor(page: Page, place: Placed, end: int, plan: Plan) -> Call | Name | float:
    """The factor of a piece at `step`, as an expression."""
    piece, start, length = place.piece, place.start, place.length
    if isinstance(piece, Constant):
        return piece.value
    if piece.metric_followed:
        return Name(f"{_follower_name(place)}.factor")
    local = f"step - {start}" if start else "step"
    outlives = start + length < end  # then it holds its end value
    known = {"step": Name(f"min({local}, {length})" if outlives else local), "length": length}
    known["steps_per_epoch"] = plan.steps_per_epoch
    name, arguments = _define_factor(page, piece)
    places = tuple(known[argument] for argument in arguments if argument in known)
    return Call(name, places, {knob: getattr(piece, knob) for knob in arguments if knob not in known})


def _define_factor(page: Page, piece: ScheduleEntry) -> tuple[str, list[str]]:
    """Write a piece's rule as a function of its own; returns its name and those of its arguments."""
    tree, body = _rule(piece)
    knobs = list(dict.fromkeys(_SELF.findall(body)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    arguments = [place for place in ("step", "length", "steps_per_epoch") if place in used] + knobs
    kinds = {knob: _kind(getattr(piece, knob)) for knob in knobs}
    typed = [f"{argument}: {kinds.get(argument, 'int')}" for argument in arguments]
    name = f"{piece.name}_factor"
    summary = inspect.cleandoc(type(piece).__doc__ or "").split("\n\n", 1)[0]
    docstring = textwrap.indent(f'"""{summary}\n\n{piece.formula}\n"""', "    ")
    page.define_uses(type(piece).__module__, tree)
    plain = _SELF.sub(r"\1", body)
    page.define_once(name, f"{_signature(name, typed)}\n{docstring}\n{plain}")
    return name, arguments


def _signature(name: str, typed: Sequence[str]) -> str:
    line = f"def {name}({', '.join(typed)}) -> float:"
    lines = "".join(f"    {argument},\n" for argument in typed)
    return line if len(line) <= WIDTH else f"def {name}(\n{lines}) -> float:"


def _rule(piece: ScheduleEntry) -> tuple[ast.FunctionDef, str]:
    """A piece's `factor`, parsed, and the text of its body."""
    source = textwrap.dedent(inspect.getsource(type(piece).factor))
    (tree,) = ast.parse(source).body
    if not isinstance(tree, ast.FunctionDef):
        raise TypeError(f"{piece.name}.factor is no function")
    return tree, "\n".join(source.splitlines()[tree.body[0].lineno - 1 :])


def _kind(value: object) -> str:
    return f"list[{type(value[0]).__name__}]" if isinstance(value, list) and value else type(value).__name__
