"""What the source of a class says of its attributes."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise


def docstrings(cls: type) -> dict[str, str]:
    """The text below each annotated attribute of a class, without those of its bases; none where there is no source."""
    return _of_module(cls.__module__).get(cls.__name__, {})


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """The docstrings of attributes by class, from a module that is parsed once for all of its classes."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):  # only its bytecode is there; what a shell runs has no file at all
        return {}
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_of_class(node)) for node in classes}


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for attribute, below in pairwise(node.body):
        match attribute, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said)
            case _:
                pass
