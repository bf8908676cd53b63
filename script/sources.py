"""The source text of our own definitions, with everything of ours that they use."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from script.imports import Imports

LIBRARIES = frozenset(
    {"PIL", "numpy", "polars", "pytorch_optimizer", "safetensors", "sklearn", "tokenizers", "torch", "torchmetrics"}
)
"""What a script may need beside the standard library."""
OWN = frozenset({"api_schemas", "training"})
"""Rooms whose definitions stand in the script itself."""
_FOR_TOOLS = re.compile(r"[ \t]*# (noqa|pyright|type):.*$", re.MULTILINE)
"""Comments that no reader of a script needs."""

_OF_CHECKPOINTS = frozenset({"state", "restore"})
"""Methods that only a run that may be interrupted has a use for."""


class NotStandalone(Exception):
    """A definition that a script shall hold uses what no script has."""


class Sources:
    """Takes definitions out of our modules, each once; the modules are read as text and never imported.

    Args:
        imports: gets what the definitions need from elsewhere.
    """

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._taken: dict[str, str] = {}

    def take(self, target: str) -> list[str]:
        """A definition by its dotted name, behind those it uses that were not taken before.

        Raises:
            NotStandalone: when it uses what no script may import, or would stand beside another of its name.
        """
        module, _, name = target.rpartition(".")
        return list(self._definition(_module(module), name))

    def need(self, module: str, node: ast.AST) -> list[str]:
        """What a piece of a module's source uses, as `take` gives it."""
        return [text for name in _names_in(node) for text in self._use(_module(module), name)]

    def _definition(self, module: _Module, name: str) -> Iterator[str]:
        if name in self._taken:
            if self._taken[name] != module.name:
                raise NotStandalone(f"{name} stands in {self._taken[name]} and in {module.name}")
            return
        self._taken[name] = module.name
        for used in _names_in(module.definitions[name]):
            yield from self._use(module, used)
        yield module.text_of(name)

    def _use(self, module: _Module, name: str) -> Iterator[str]:
        if name in module.definitions:
            yield from self._definition(module, name)
        elif name in module.imports:
            yield from self._import(module, module.imports[name])

    def _import(self, module: _Module, wanted: _Import) -> Iterator[str]:
        room = wanted.module.partition(".")[0]
        if room in OWN and wanted.name is not None and wanted.alias is None:
            yield from self._definition(_module(wanted.module), wanted.name)
        elif room not in sys.stdlib_module_names and room not in LIBRARIES:
            raise NotStandalone(f"{module.name} imports {wanted.module}")
        elif wanted.name is None:
            self._imports.module(wanted.module, wanted.alias)
        else:
            self._imports.name(wanted.module, wanted.name, wanted.alias)


@dataclass(frozen=True)
class _Import:
    module: str
    name: str | None
    """None for the module itself."""
    alias: str | None


@dataclass(frozen=True)
class _Module:
    """A module as text: what it defines and what it imports, by name."""

    name: str
    lines: list[str]
    definitions: dict[str, ast.stmt]
    imports: dict[str, _Import]
    left: frozenset[int]
    """Numbers of the lines that no script takes."""

    def text_of(self, name: str) -> str:
        """A definition as it stands in the file, with the comment above it."""
        node = self.definitions[name]
        decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        while first and self.lines[first - 1].startswith("#"):
            first -= 1
        kept = [
            line for place, line in enumerate(self.lines[first : node.end_lineno], first + 1) if place not in self.left
        ]
        return _FOR_TOOLS.sub("", "\n".join(kept)).rstrip("\n")


@functools.cache
def _module(name: str) -> _Module:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise NotStandalone(f"there is no module {name}")
    text = Path(spec.origin).read_text(encoding="utf-8")
    tree = ast.parse(text)
    left = frozenset(line for node in tree.body if isinstance(node, ast.ClassDef) for line in _leave_out(node))
    definitions = {defined: node for node in tree.body for defined in _defined_by(node)}
    imports = {known: wanted for node in ast.walk(tree) for known, wanted in _imported_by(node)}
    return _Module(name, text.splitlines(), definitions, imports, left)


def _leave_out(node: ast.ClassDef) -> Iterator[int]:
    """Take the methods for checkpoints out of a class; returns their lines and the blank one above each."""
    for method in [
        child for child in node.body if isinstance(child, ast.FunctionDef) and child.name in _OF_CHECKPOINTS
    ]:
        node.body.remove(method)
        yield from range(method.lineno - 1, (method.end_lineno or method.lineno) + 1)


def _defined_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _imported_by(node: ast.AST) -> Iterator[tuple[str, _Import]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], _Import(alias.name, None, alias.asname)
    elif isinstance(node, ast.ImportFrom) and node.module not in (None, "__future__"):
        for alias in node.names:
            yield alias.asname or alias.name, _Import(node.module or "", alias.name, alias.asname)


def _names_in(node: ast.AST) -> list[str]:
    """The names that a piece of source reads and does not bind itself, in the order of the text."""
    names = [child for child in ast.walk(node) if isinstance(child, ast.Name)]
    bound = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
    bound |= {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}
    places = sorted((name.lineno, name.col_offset, name.id) for name in names if name.id not in bound)
    return list(dict.fromkeys(name for _, _, name in places))
