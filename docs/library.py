"""Writes what the catalog says of pytorch_optimizer's optimizers from that library itself: `python -m docs.library`."""

from __future__ import annotations

import argparse
import ast
import enum
import importlib.metadata
import inspect
import math
import re
import sys
import textwrap
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, Literal

import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer import OPTIMIZERS

from api_schemas.catalog.optimizers_library import LIBRARY, Bounds, Knob, Library, Needs, Record
from docs.library_choices import (
    ABSENT,
    FIXED,
    FLOAT32_ONLY,
    NO_MOMENTUM,
    NOT_A_KNOB,
    NOT_ZERO,
    ONE_GROUP,
    PRESETS,
    TABLE_NAMES,
    TORCH_HAS,
    UNLISTED,
)

NOTES = Path(__file__).with_name("library_notes.toml")
"""What the library does not say of its optimizers: formula, use and pitfall of each, read from their source."""

_ROOM = "pytorch_optimizer.optimizer."

HUGE = 1e6
"""The bound of a number that the library does not bound."""


def library() -> Library:
    """Everything that the catalog takes from the library."""
    names = sorted(name for name in OPTIMIZERS if name not in TORCH_HAS and name not in ABSENT)
    notes = tomllib.loads(NOTES.read_text())
    if set(notes) != set(names):
        raise LookupError(f"{NOTES.name} and the library differ in {', '.join(sorted(set(notes) ^ set(names)))}")
    return Library(
        version=importlib.metadata.version("pytorch_optimizer"),
        records=[_record(name, OPTIMIZERS[name], notes[name]) for name in names],
        absent=ABSENT,
    )


def _record(name: str, target: type[torch.optim.Optimizer], notes: dict[str, str]) -> Record:
    if not hasattr(pytorch_optimizer, target.__name__):
        raise LookupError(f"{target} cannot be named")
    arguments = inspect.signature(target).parameters
    meanings, checks, group = _meanings(target), _checks(target), _group(target)
    checks |= {knob: checks[knob].model_copy(update={"low": None, "above": 0}) for knob in NOT_ZERO.get(name, ())}
    knobs = [
        knob
        for argument in list(arguments.values())[1:]
        if argument.name not in NOT_A_KNOB
        and argument.name not in FIXED.get(name, {})
        and (knob := _knob(argument, meanings.get(argument.name, ""), checks.get(argument.name, Bounds()), group))
    ]
    return Record(
        name=name,
        target=f"pytorch_optimizer.{target.__name__}",
        summary=_summary(target),
        **{"paper": _paper(target.__name__)} | notes,
        needs=_needs(name, target, group),
        knobs=knobs,
        fixed=FIXED.get(name, {}),
        ordered=_ordered(target),
    )


def _group(target: Any) -> dict[str, Any]:
    """The parameter group of such an optimizer, as a schedule finds it."""
    model = torch.nn.Linear(2, 2)
    if "model" in inspect.signature(target).parameters:
        return target(model).param_groups[0]
    return target([{"params": [model.weight], **({"use_muon": True} if _flags(target) else {})}]).param_groups[0]


def _flags(target: type) -> bool:
    return "use_muon" in inspect.getsource(target)


def _needs(name: str, target: type[torch.optim.Optimizer], group: dict[str, Any]) -> Needs:
    source, doc = inspect.getsource(target), inspect.getdoc(target) or ""
    graph, closure = "compute_hutchinson_hessian" in source, "loss closure" in doc
    return Needs(
        needs="graph" if graph else "closure" if closure else "gradient",
        switches_mode=callable(getattr(target, "eval", None)),
        matrices_only="only supports 2D parameters" in source,
        matrices_flag="use_muon" if _flags(target) else "",
        float32_only=name in FLOAT32_ONLY,
        one_group=name in ONE_GROUP,
        takes_model="model" in inspect.signature(target).parameters,
        momentum_knob=_momentum_knob(group) if name not in NO_MOMENTUM else "",
    )


def _momentum_knob(group: dict[str, Any]) -> Literal["momentum", "betas", ""]:
    if isinstance(group.get("momentum"), float):
        return "momentum"
    return "betas" if isinstance(group.get("betas"), tuple) else ""


def _summary(target: type) -> str:
    """The docstring's first paragraph as one line."""
    return " ".join((inspect.getdoc(target) or "").split("\n\n", 1)[0].split())


def _meanings(target: type) -> dict[str, str]:
    """What the docstring says of each argument."""
    _, _, section = (inspect.getdoc(target) or "").partition("Args:\n")
    section = re.split(r"\n\S", section, maxsplit=1)[0]
    items = re.findall(r"^    (\w+)(?: \([^)]*\))?: (.*(?:\n     +.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).replace("`", "") for name, text in items}


def _paper(name: str) -> str:
    table = _papers()
    title, link = table.get(TABLE_NAMES.get(name, name)) or table.get(name.lower()) or UNLISTED.get(name) or ("", "")
    return ", ".join(part for part in (title, link) if part)


def _papers() -> dict[str, tuple[str, str]]:
    """Title and address of each paper of the table in the library's description, by name and by its plain letters."""
    papers: dict[str, tuple[str, str]] = {}
    for line in (importlib.metadata.distribution("pytorch_optimizer").read_text("METADATA") or "").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[1].startswith("*"):
            link = re.search(r"\[paper\]\((\S+?)\)", cells[3]) or re.search(r"\]\((\S+?)\)", cells[2])
            entry = (cells[1].strip("*"), link[1] if link else "")
            papers[cells[0]] = entry
            papers.setdefault(re.sub("[^a-z0-9]", "", cells[0].lower()), entry)
    return papers


def _checks(target: type) -> dict[str, Bounds]:
    """The bounds that the checks of the class and those it builds on set, by argument."""
    found: dict[str, Bounds] = {}
    for node in _calls(target):
        match node:
            case ast.Call(func=ast.Attribute(attr=check), args=[ast.Name(id=name), *values], keywords=keywords):
                options = {keyword.arg: _literal(keyword.value) for keyword in keywords}
                if check.startswith("validate_"):
                    found[name] = _bounds(check.removeprefix("validate_"), [_literal(v) for v in values], options)
            case _:
                continue
    return found


def _ordered(target: type) -> list[tuple[str, str]]:
    """Arguments of which the first may not be less than the second."""
    return [
        (more.id, less.id)
        for node in _calls(target)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "validate_non_negative"
        for difference in node.args[:1]
        if isinstance(difference, ast.BinOp) and isinstance(difference.op, ast.Sub)
        for more, less in [(difference.left, difference.right)]
        if isinstance(more, ast.Name) and isinstance(less, ast.Name)
    ]


def _calls(target: type) -> list[ast.Call]:
    """The calls in the source of the class and of those that it builds on."""
    sources = [inspect.getsource(base) for base in reversed(target.__mro__) if base.__module__.startswith(_ROOM)]
    nodes = [node for source in sources for node in ast.walk(ast.parse(textwrap.dedent(source)))]
    return [node for node in nodes if isinstance(node, ast.Call)]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _bounds(check: str, values: list[Any], options: dict[Any, Any]) -> Bounds:
    """What one of the library's checks lets through."""
    if check == "range":
        kind = options.get("range_type") or (values[3] if len(values) > 3 else "[)")
        return _interval(kind, values[1], values[2])
    if check == "boundary":
        return Bounds(high=options["boundary"]) if options.get("bound_type") == "upper" else Bounds(low=values[0])
    if check == "betas":
        return _interval(options.get("beta_range_type", "[)"), 0.0, 1.0)
    known = {
        "non_negative": Bounds(low=0),
        "non_positive": Bounds(high=0),
        "positive": Bounds(above=0),
        "step": Bounds(low=1),
        "nus": Bounds(low=0, high=1),
        "options": Bounds(choices=values[1] if len(values) > 1 and isinstance(values[1], list) else []),
    }
    return known.get(check, Bounds())


def _interval(kind: str, low: float, high: float) -> Bounds:
    return Bounds.model_validate(
        {"low" if kind[0] == "[" else "above": low, "high" if kind[1] == "]" else "below": high}
    )


def _knob(argument: inspect.Parameter, meaning: str, checked: Bounds, group: dict[str, Any]) -> Knob | None:
    """The argument as a setting of a job, or None where it is none."""
    default = argument.default
    if argument.name == "lr":
        # Where the signature leaves it open, the group has what the optimizer took.
        rate = group["lr"] if default is None else float(default)
        return Knob(name="lr", type="number", default=rate, meaning=meaning)
    kind, texts = _type(argument)
    if kind is None or default in (inspect.Parameter.empty, math.inf):  # JSON has no infinity
        return None
    if isinstance(default, enum.IntEnum):
        meaning += " " + ", ".join(f"{member.value} {member.name.lower()}" for member in type(default)) + "."
        checked = Bounds(low=min(type(default)), high=max(type(default)))
    return Knob(
        name=argument.name,
        type=kind,
        default=_plain(default),
        optional=type(None) in _parts(argument.annotation),
        bounds=_settled(kind, argument, checked, texts),
        meaning=meaning,
    )


def _settled(kind: str, argument: inspect.Parameter, checked: Bounds, texts: list[str]) -> list[Bounds]:
    """The checked bounds, closed where the library leaves a side open."""
    if kind == "boolean":
        return []
    if kind == "choice":
        return [Bounds(choices=checked.choices or texts)]
    if kind == "numbers":
        return [_share(checked, value) for value in argument.default]
    return [_closed(kind, argument, checked)]


def _type(argument: inspect.Parameter) -> tuple[Any, list[str]]:
    """What kind of setting the argument is, and which texts it may be."""
    if argument.name in PRESETS:
        return "choice", PRESETS[argument.name]
    parts = _parts(argument.annotation)
    literal = next((part for part in parts if typing.get_origin(part) is typing.Literal), None)
    if literal is not None or str in parts:
        return "choice", list(typing.get_args(literal))
    if isinstance(argument.default, tuple) and all(isinstance(value, float) for value in argument.default):
        return "numbers", []
    names = {bool: "boolean", int: "integer", float: "number"}
    plain = [names[part] for part in parts if part in names]
    return (plain[0] if len(plain) == 1 else None), []


def _parts(annotation: Any) -> list[Any]:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return [part for arg in typing.get_args(annotation) for part in _parts(arg)] if is_union else [annotation]


def _plain(default: Any) -> Any:
    if isinstance(default, enum.IntEnum):
        return int(default)
    return list(default) if isinstance(default, tuple) else default


def _share(checked: Bounds, default: float) -> Bounds:
    """The bounds of one of several decay rates."""
    return Bounds(low=0, high=1) if default == 1 or checked.high == 1 else Bounds(low=0, below=1)


def _closed(kind: str, argument: inspect.Parameter, checked: Bounds) -> Bounds:
    number = (1 if kind == "integer" else 0) if argument.default is None else argument.default
    sides = checked.model_dump(exclude_defaults=True)
    if checked.low is None and checked.above is None:
        least = min(number, 1) if kind == "integer" else 0
        sides["low"] = least if number >= 0 or kind == "integer" else -HUGE
    if checked.high is None and checked.below is None:
        sides |= _upper(argument.name, number)
    return Bounds(**sides)


def _upper(name: str, number: float) -> dict[str, float]:
    """Where the library sets no upper bound, the one that the name suggests."""
    if re.search(r"^(min_)?beta\d?$|_beta$|momentum", name) and number < 1:
        return {"below": 1}
    return {"high": 1 if name.startswith("eps") or "prob" in name else max(HUGE, number)}


def main() -> int:
    """Write the file, or say whether it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something would change")
    check = parser.parse_args().check
    text = library().model_dump_json(indent=1, exclude_defaults=True) + "\n"
    path = Path(LIBRARY)
    if check and (not path.exists() or path.read_text() != text):
        print(f"out of date: {path.name}; run `make docs`", file=sys.stderr)
        return 1
    if not check:
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
