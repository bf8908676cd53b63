"""The text of a script while it is written: blocks of statements and definitions, and the imports that they need."""

from __future__ import annotations

import ast
import itertools
import re
from typing import Any

from script.imports import Imports
from script.sources import OWN, Sources
from script.text import WIDTH, source

_DEFINITION = re.compile(r"(#[^\n]*\n)*(@|def |class )")


class Page:
    """Collects a script from top to bottom."""

    def __init__(self) -> None:
        self.imports = Imports()
        self._sources = Sources(self.imports)
        self._blocks: list[str] = []
        self._made: set[str] = set()

    def heading(self, title: str) -> None:
        """Begin a part."""
        line = f"# ---- {title} "
        self._blocks.append(line + "-" * (WIDTH - len(line)))

    def code(self, text: str) -> None:
        """Add statements that belong together, or a definition."""
        if text:
            self._blocks.append(text.strip("\n"))

    def define(self, *targets: str) -> None:
        """Add our own definitions by their dotted names, each behind those it uses, where they are not there yet."""
        for target in targets:
            self._blocks += self._sources.take(target)

    def define_once(self, name: str, text: str) -> None:
        """Add a definition that is made here, where it is not there yet."""
        if name not in self._made:
            self._made.add(name)
            self.code(text)

    def define_uses(self, module: str, piece: ast.AST) -> None:
        """Add what a piece of one of our modules uses."""
        self._blocks += self._sources.need(module, piece)

    def refer(self, target: str) -> str:
        """The expression that a dotted target is written as; it is defined or imported from now on."""
        module, _, name = target.rpartition(".")
        room = target.partition(".")[0]
        if not module:
            return name
        if room in OWN:
            self.define(target)
            return name
        if target.startswith("torch.nn."):
            self.imports.name("torch", "nn")
            return target.removeprefix("torch.")
        if room == "numpy":
            self.imports.module("numpy", "np")
            return f"np.{name}"
        if room in ("torch", "pytorch_optimizer"):
            self.imports.module(room)
            return target
        self.imports.name(module, name)
        return name

    def line(self, before: str, value: Any, after: str = "") -> str:
        """A statement with a value in it; what the value calls is defined or imported from now on.

        Args:
            before: what stands on the line in front of the value, its indentation too.
            value: calls, names and plain data.
            after: what stands behind it.
        """
        level = (len(before) - len(before.lstrip(" "))) // 4
        return before + source(value, self.refer, len(before) + len(after), level) + after

    def text(self, docstring: str) -> str:
        """The whole program."""
        future = "from __future__ import annotations"
        head = f'"""{docstring.strip()}\n"""\n\n{future}\n\n{self.imports.text()}'
        blocks = [head, *self._blocks]
        return head + "".join(_gap(above, below) + below for above, below in itertools.pairwise(blocks)) + "\n"


def _gap(above: str, below: str) -> str:
    apart = _DEFINITION.match(above) or _DEFINITION.match(below) or below.startswith("# ---- ")
    return "\n\n\n" if apart else "\n\n"
