"""Writes the documents that follow from the code, or checks that they are up to date: `python -m docs.generate`."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api_schemas.catalog import FAMILIES, CatalogEntry
from api_schemas.catalog.optimizers_library import absent
from api_schemas.docstrings import docstrings
from service.app import create_app
from storage.settings import Settings

FOLDER = Path(__file__).parent
_NOTE = "<!-- Written by `make docs` from the code; change it there. -->\n\n"


def catalog() -> str:
    """Every catalog entry: formula, use, knobs."""
    parts = [_NOTE, "# The catalog\n\nEverything that a job can name. `GET /v1/catalog` says the same.\n"]
    seen: Counter[str] = Counter()
    for kind, family in FAMILIES.items():
        parts.append(f"\n## {kind.capitalize()}\n\n{inspect.cleandoc(family.__doc__ or '')}\n")
        parts.append(f"\n{_contents(family.names(), seen)}\n")
        parts += [_entry(entry.describe()) for entry in family.members().values()]
        parts += [_absent()] if kind == "optimizers" else []
    return "".join(parts)


def _contents(names: list[str], seen: Counter[str]) -> str:
    """Links to the entries of a kind; the anchor of a name that other kinds have too counts them."""
    links = {name: f"[{name}](#{name}-{seen[name]})" if seen[name] else f"[{name}](#{name})" for name in names}
    seen.update(names)
    return " · ".join(links[name] for name in sorted(links))


def settings() -> str:
    """Every setting of the environment."""
    lines = [
        _NOTE,
        "# Settings\n\n",
        inspect.cleandoc(Settings.__doc__ or ""),
        "\n\n| variable | default | |\n| --- | --- | --- |\n",
    ]
    said = docstrings(Settings)
    for name, field in Settings.model_fields.items():
        lines.append(f"| `ANNEAL_{name.upper()}` | {_shown(field.default)} | {_cell(said[name])} |\n")
    return "".join(lines)


def openapi() -> str:
    """The gateway's own document."""
    with tempfile.TemporaryDirectory() as home:
        document = create_app(Settings(home=Path(home))).openapi()
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "catalog.md": catalog,
    "settings.md": settings,
    "openapi.json": openapi,
}


def _entry(entry: CatalogEntry) -> str:
    text = f"\n### `{entry.name}`\n\n{entry.description}\n"
    if entry.formula:
        text += f"\n```\n{entry.formula}\n```\n"
    if entry.pitfall:
        text += f"\nWhat goes wrong: {entry.pitfall}\n"
    if entry.kind == "optimizers":
        text += (
            f"\n![The path of {entry.name} on two error surfaces](../service/pictures/optimizers/{entry.name}.svg)\n"
        )
    if entry.knobs:
        text += "\n| knob | default | values | |\n| --- | --- | --- | --- |\n"
        text += "".join(_knob(name, knob) for name, knob in entry.knobs.items())
    sources = [f"Paper: {entry.paper}." if entry.paper else "", f"Builds `{entry.target}`." if entry.target else ""]
    said = " ".join(source for source in sources if source)
    return text + (f"\n{said}\n" if said else "")


def _absent() -> str:
    """What a reader of pytorch_optimizer's list would look for in vain."""
    rows = "".join(f"| `{name}` | {_cell(reason)} |\n" for name, reason in absent().items())
    return (
        f"\n### Absent\n\nOptimizers of pytorch_optimizer that no job can use:\n\n| name | why |\n| --- | --- |\n{rows}"
    )


def _knob(name: str, knob: dict[str, Any]) -> str:
    default, meaning = _shown(knob.get("default")), _cell(knob.get("description", ""))
    return f"| `{name}` | {default} | {_bounds(knob)} | {meaning} |\n"


def _bounds(knob: dict[str, Any]) -> str:
    if "enum" in knob:
        return ", ".join(f"`{value}`" for value in knob["enum"])
    choices = [choice for choice in knob.get("anyOf", [knob]) if choice.get("type") != "null"]
    if "catalog" in knob:
        return f"one of the {knob['catalog']}"
    return ", ".join(_range(choice) for choice in choices)


def _range(choice: dict[str, Any]) -> str:
    if "prefixItems" in choice:
        places = [_range(item) for item in choice["prefixItems"]]
        return f"{len(places)} of {places[0]}" if len(set(places)) == 1 else "; ".join(places)
    if "items" in choice:
        return f"list of {_range(choice['items'])}"
    low = next((f"{sign} {choice[key]:g}" for key, sign in _LOW.items() if key in choice), "")
    high = next((f"{sign} {choice[key]:g}" for key, sign in _HIGH.items() if key in choice), "")
    return " ".join(part for part in (choice.get("type", ""), low, high) if part)


_LOW = {"minimum": "≥", "exclusiveMinimum": ">"}
_HIGH = {"maximum": "≤", "exclusiveMaximum": "<"}


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return f"`{value['name']}`"
    return f"`{value}`" if isinstance(value, str | Path) else f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the documents, or say which of them are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something would change")
    check = parser.parse_args().check
    stale = [name for name, write in DOCUMENTS.items() if not _is_current(FOLDER / name, write())]
    if not check:
        for name in stale:
            (FOLDER / name).write_text(DOCUMENTS[name]())
        return 0
    if stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
