"""
Print all that the package says: the texts of exceptions and log calls, and other prose in its strings.

    python ci/messages.py [path …]

Each stands on one line, ``file:line: text | hint``, to be read in one go; ``{…}`` is a value. Docstrings are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "airflow_provider_bitrix24"

#: Two words next to each other: a name, a path or a pattern has none.
PROSE = re.compile(r"[a-z}\"')][,:;]? [a-z{\"'(]", re.IGNORECASE)
#: Methods of loggers, and of exceptions that make another one.
SPEAKING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "but"})


def exceptions_of(trees: dict[Path, ast.Module]) -> frozenset[str]:
    """Names of the package's exceptions, found from ``Bitrix24Error`` downwards."""
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names: set[str] = {"Bitrix24Error"}
    while new := {
        node.name
        for node in classes
        if node.name not in names and any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
    }:
        names |= new
    return frozenset(names)


def rendered(node: ast.expr) -> str:
    """The text of an expression, with its values in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(rendered(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    return f"{{{ast.unparse(node)}}}"


def is_text(node: ast.AST) -> TypeGuard[ast.expr]:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def docstrings_of(tree: ast.Module) -> set[ast.AST]:
    """Strings that stand alone: docstrings of modules, classes, functions and attributes."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and is_text(node.value)}


def messages_of(tree: ast.Module, exceptions: frozenset[str]) -> dict[int, list[str]]:
    """The texts of each line, in their order; those of a call that says something stand at the line of the call."""
    passed_over = docstrings_of(tree)
    found: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _name(node.func)) in exceptions | SPEAKING | {"compile"}:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [argument for argument in arguments if is_text(argument)]
            passed_over |= {inner for text in texts for inner in ast.walk(text)}
            if name != "compile":
                found += [(node.lineno, text.col_offset, rendered(text)) for text in texts]
        elif is_text(node) and node not in passed_over:
            passed_over |= set(ast.walk(node))
            found.append((node.lineno, node.col_offset, rendered(node)))
    lines: dict[int, list[str]] = {}
    for line, _, text in sorted(found):
        if PROSE.search(text):
            lines.setdefault(line, []).append(text)
    return lines


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def main() -> None:
    chosen = [Path(argument).resolve() for argument in sys.argv[1:]] or [PACKAGE]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
    exceptions = exceptions_of(trees)
    for path, tree in trees.items():
        if any(path.is_relative_to(folder) for folder in chosen):
            for line, texts in messages_of(tree, exceptions).items():
                print(f"{path.relative_to(ROOT)}:{line}: {' | '.join(' '.join(text.split()) for text in texts)}")


if __name__ == "__main__":
    main()
