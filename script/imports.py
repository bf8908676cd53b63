"""The import statements of a script."""

from __future__ import annotations

import sys

from script.text import WIDTH

_INSTALLED_AS = {"PIL": "pillow", "pytorch_optimizer": "pytorch-optimizer", "sklearn": "scikit-learn"}


class Imports:
    """Collects what is imported, and writes it in the usual order."""

    def __init__(self) -> None:
        self._modules: dict[str, str | None] = {}
        self._names: dict[str, dict[str, str | None]] = {}

    def module(self, name: str, alias: str | None = None) -> None:
        """`import name as alias`."""
        self._modules[name] = alias

    def name(self, module: str, name: str, alias: str | None = None) -> None:
        """`from module import name as alias`."""
        self._names.setdefault(module, {})[name] = alias

    def libraries(self) -> list[str]:
        """What has to be installed, by the names that it is installed by."""
        rooms = {module.partition(".")[0] for module in (*self._modules, *self._names)} - sys.stdlib_module_names
        return sorted(_INSTALLED_AS.get(room, room) for room in rooms)

    def text(self) -> str:
        """The statements, the standard library's apart from the others."""
        groups = [self._group(standard=standard) for standard in (True, False)]
        return "\n\n".join("\n".join(lines) for lines in groups if lines)

    def _group(self, *, standard: bool) -> list[str]:
        def belongs(module: str) -> bool:
            return (module.partition(".")[0] in sys.stdlib_module_names) == standard

        whole = [f"import {_as(name, alias)}" for name, alias in sorted(self._modules.items()) if belongs(name)]
        return whole + [
            _from(module, [_as(name, alias) for name, alias in sorted(names.items(), key=_as_linters_sort)])
            for module, names in sorted(self._names.items())
            if belongs(module)
        ]


def _as(name: str, alias: str | None) -> str:
    return name if alias is None else f"{name} as {alias}"


def _as_linters_sort(item: tuple[str, str | None]) -> tuple[int, str]:
    """Constants, then classes, then functions."""
    name = item[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    lines = "\n".join(f"    {name}," for name in names)
    return line if len(line) <= WIDTH else f"from {module} import (\n{lines}\n)"
