"""The optimizers of pytorch_optimizer, each made into an entry when it is first asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, Field, Strict, create_model, model_validator

from api_schemas.catalog.call import Call
from api_schemas.catalog.entry import Entry
from api_schemas.catalog.optimizer_entry import LearningRate, PlainOptimizerEntry
from api_schemas.catalog.optimizers_matrix import Companion

LIBRARY = Path(__file__).with_name("library.json")
"""Written by `docs/library.py` from the library itself: Apache-2.0, see NOTICE."""


class Bounds(BaseModel):
    """What a number or a text may be; a side that is None is open."""

    low: float | None = None
    """At least."""
    above: float | None = None
    """More than."""
    high: float | None = None
    """At most."""
    below: float | None = None
    """Less than."""
    choices: list[str] = []
    """The texts that it may be, where it is a text."""


class Knob(BaseModel):
    """An argument of a library class as a setting."""

    name: str
    type: Literal["boolean", "integer", "number", "numbers", "choice"]
    default: bool | int | float | str | list[float] | None = None
    optional: bool = False
    """Whether null is a value, too."""
    bounds: list[Bounds] = []
    """One for each of `numbers`, one for everything else."""
    meaning: str = ""


class Needs(BaseModel):
    """What a step needs, as `OptimizerEntry` declares it."""

    needs: Literal["gradient", "graph", "closure"] = "gradient"
    switches_mode: bool = False
    matrices_only: bool = False
    matrices_flag: str = ""
    takes_model: bool = False
    float32_only: bool = False
    one_group: bool = False
    momentum_knob: Literal["momentum", "betas", ""] = ""


class Record(BaseModel):
    """An optimizer of the library as data."""

    name: str
    target: str
    summary: str
    use: str = ""
    """When one would take it."""
    formula: str = ""
    pitfall: str = ""
    """What goes wrong with it, beside what `needs` costs."""
    paper: str = ""
    needs: Needs = Needs()
    knobs: list[Knob]
    fixed: dict[str, bool | float] = {}
    """Arguments that are the same for every job."""
    ordered: list[tuple[str, str]] = []
    """Knobs of which the first may not be less than the second."""


class Library(BaseModel):
    """The whole file."""

    version: str
    """Of the library that it was written from."""
    records: list[Record]
    absent: dict[str, str]
    """Names of the library that no job can use, and why."""


class LibraryOptimizer(PlainOptimizerEntry):
    """An optimizer of the library pytorch_optimizer."""

    fixed: ClassVar[dict[str, bool | float]] = {}
    """Arguments that no job sets."""
    ordered: ClassVar[list[tuple[str, str]]] = []
    """Knobs of which the first may not be less than the second."""

    @classmethod
    def names(cls) -> list[str]:
        return list(_records())

    @classmethod
    def find(cls, name: str) -> type[Entry] | None:
        return _entry(name) if name in _records() else None

    @property
    def other_rate(self) -> float | None:
        return getattr(self, "adamw_lr", None)

    @model_validator(mode="after")
    def _is_ordered(self) -> LibraryOptimizer:
        for more, less in self.ordered:
            if getattr(self, more) < getattr(self, less):
                raise ValueError(f"{more} must be at least {less}")
        return self

    def call(self, *args: Any, **more: Any) -> Call:
        return super().call(*args, **self.fixed, **more)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.name, self.model_dump())  # no module has its class by name


def absent() -> dict[str, str]:
    """The library's optimizers that no job can use, each with the reason."""
    return _library().absent


@cache
def _library() -> Library:
    return Library.model_validate_json(LIBRARY.read_bytes())


@cache
def _records() -> dict[str, Record]:
    return {record.name: record for record in _library().records}


@cache
def _entry(name: str) -> type[LibraryOptimizer]:
    record = _records()[name]
    fields: dict[str, Any] = {knob.name: (_annotation(knob), _field(knob)) for knob in record.knobs}
    bases = (Companion, LibraryOptimizer) if record.needs.matrices_only else (LibraryOptimizer,)
    fields["name"] = (Literal[record.name], record.name)
    title = record.target.rpartition(".")[2]
    doc = f"{record.summary}\n\n{record.use}".rstrip()
    entry: Any = create_model(title, __base__=bases, __module__=__name__, __doc__=doc, **fields)
    for declared, value in record.needs:
        setattr(entry, declared, value)
    entry.target, entry.formula, entry.paper = record.target, record.formula, record.paper
    entry.fixed, entry.ordered = record.fixed, record.ordered
    entry.pitfall = f"{record.pitfall} {_costs(record.needs)}".strip()
    return entry


def _unpickled(name: str, knobs: dict[str, Any]) -> LibraryOptimizer:
    return _entry(name).model_validate(knobs)


def _costs(needs: Needs) -> str:
    """What its needs cost."""
    sentences = {
        "Each step differentiates the gradient once more, which takes about as long again.": needs.needs == "graph",
        "Each step reads the loss on the host, which waits for a GPU.": needs.needs == "closure",
        "Is judged at other weights than it trains; the statistics of batch norm are refreshed for them.": (
            needs.switches_mode
        ),
        "Takes matrices alone; all other weights are trained by `companion`.": needs.matrices_only,
        "Is for matrices; it trains all other weights by an AdamW of its own, with the knobs `adamw_...`.": bool(
            needs.matrices_flag
        ),
    }
    return " ".join(sentence for sentence, holds in sentences.items() if holds)


def _field(knob: Knob) -> Any:
    default = tuple(knob.default) if isinstance(knob.default, list) else knob.default
    return Field(default=default, description=knob.meaning)


def _annotation(knob: Knob) -> Any:
    if knob.name == "lr":
        return LearningRate
    plain = _plain(knob)
    return plain | None if knob.optional else plain


def _plain(knob: Knob) -> Any:
    if knob.type == "boolean":
        return bool
    if knob.type == "choice":
        return Literal[tuple(knob.bounds[0].choices)]
    if knob.type == "numbers":
        numbers = tuple(_bounded(float, bounds) for bounds in knob.bounds)
        return Annotated[tuple[numbers], Strict(strict=False)]
    return _bounded(int if knob.type == "integer" else float, knob.bounds[0])


def _bounded(number: type, bounds: Bounds) -> Any:
    sides = [(Ge, bounds.low), (Gt, bounds.above), (Le, bounds.high), (Lt, bounds.below)]
    limits = [mark(number(limit)) for mark, limit in sides if limit is not None]
    return Annotated[number, *limits]
