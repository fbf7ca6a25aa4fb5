"""
Write the tables of arguments into the pages of operators, from signatures and docstrings.

``python ci/make_argument_tables.py`` writes what stands between ``<!-- arguments of … -->`` and ``<!-- end of
arguments -->`` in each page; with ``--check`` it exits 1 where that is another text. The names after "of" are modules
of the package, or classes in them.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_bitrix24"

TABLES = re.compile(
    r"(?<=^<!-- arguments of )(?P<names>[\w., ]+)( -->\n)(?P<tables>.*?)(?=^<!-- end of arguments -->$)", re.M | re.S
)
_PARAM = re.compile(r"^:param (?P<name>\w+): (?P<text>.*?)(?=^:|^\S|^$|\Z)", re.M | re.S)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")


class Argument(NamedTuple):
    """One line of a table."""

    name: str
    type: str
    default: str
    templated: str
    meaning: str

    def line(self) -> str:
        return f"| `{self.name}` | {self.type} | {self.default} | {self.templated} | {self.meaning} |"


def classes_of(names: str) -> list[type]:
    """Public classes that a marker names, in the order of their modules."""
    found: list[type] = []
    for name in names.replace(" ", "").split(","):
        place, _, last = f"{PACKAGE}.{name}".rpartition(".")
        if last.startswith("Bitrix24"):
            found.append(getattr(import_module(place), last))
        else:
            module = import_module(f"{place}.{last}")
            found += [member for member in vars(module).values() if _is_public(member, module.__name__)]
    return found


def _is_public(member: Any, module: str) -> bool:
    return (
        inspect.isclass(member)
        and member.__module__ == module
        and member.__name__.startswith("Bitrix24")
        and not member.__name__.startswith("Bitrix24Base")
    )


def arguments_of(cls: type) -> list[Argument]:
    """
    What a class takes, its own arguments first; those of Airflow's own classes are not among them.

    :raises ValueError: one has no ``:param``.
    """
    own = [parent for parent in cls.__mro__ if parent.__module__.startswith(f"{PACKAGE}.")]
    meanings: dict[str, str] = {}
    for parent in reversed(own):
        meanings |= {match["name"]: match["text"] for match in _PARAM.finditer(inspect.cleandoc(parent.__doc__ or ""))}
    parameters: dict[str, inspect.Parameter] = {}
    for parent in own:
        if "__init__" in vars(parent):
            for name, parameter in inspect.signature(inspect.unwrap(vars(parent)["__init__"])).parameters.items():
                if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                    parameters.setdefault(name, parameter)
    if missing := parameters.keys() - meanings.keys():
        raise ValueError(f"{cls.__name__} has no :param of {', '.join(sorted(missing))}")
    templated: Sequence[str] = getattr(cls, "template_fields", ())
    return [_argument(parameter, name in templated, meanings[name]) for name, parameter in parameters.items()]


def _argument(parameter: inspect.Parameter, templated: bool, meaning: str) -> Argument:
    text = re.sub(r"[;,] templated(?=[.;,])", "", " ".join(meaning.split()))
    text = _ROLE.sub(r"`\1`", text).replace("``", "`")
    kind = " or ".join(part for part in _members(str(parameter.annotation)) if part != "NotGiven")
    return Argument(parameter.name, f"`{kind}`", _default(parameter.default), "yes" if templated else "", _cell(text))


def _members(annotation: str) -> Iterator[str]:
    """The members of a union: what stands between bars that are in no bracket."""
    depth, start = 0, 0
    for at, sign in enumerate(annotation):
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if sign == "|" and not depth:
            yield annotation[start:at].strip().replace("|", "or")
            start = at + 1
    yield annotation[start:].strip().replace("|", "or")


def _default(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if type(default).__name__ == "NotGiven":
        return ""
    # Of a text that is made for the reader, the meaning says what it is.
    text = repr(default)
    return f"`{_cell(text)}`" if len(text) < 40 and "\n" not in text and "\\n" not in text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def tables(names: str) -> str:
    """The tables of the classes that a marker names; what all of them take stands in a table of its own."""
    found = {cls.__name__: arguments_of(cls) for cls in classes_of(names)}
    shared = [
        argument
        for argument in next(iter(found.values()))
        if len(found) > 1 and all(argument in arguments for arguments in found.values())
    ]
    parts = [
        _table(f"`{name}`", [argument for argument in arguments if argument not in shared])
        for name, arguments in found.items()
    ]
    return "\n".join(["", *parts, *([_table("All of these operators", shared)] if shared else [])])


def _table(title: str, arguments: Sequence[Argument]) -> str:
    head = "| argument | type | default | templated | meaning |\n|---|---|---|---|---|"
    return "\n".join([f"### {title}", "", head, *(argument.line() for argument in arguments), ""])


def renewed(page: str) -> str:
    """The text of a page, with its tables as they are now."""
    return TABLES.sub(lambda match: f"{match['names']}{match[2]}{tables(match['names'])}\n", page)


def main() -> None:
    stale = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (text := renewed(page)) != page:
            stale.append(path.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv[1:]:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        sys.exit(f"{', '.join(stale)}: run python ci/make_argument_tables.py")


if __name__ == "__main__":
    # Airflow makes its home on import.
    with tempfile.TemporaryDirectory(prefix="airflow-bitrix24-docs-") as home:
        os.environ["AIRFLOW_HOME"] = home
        main()
