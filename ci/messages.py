"""
Print all that the package says: the texts of exceptions and log calls, and other prose in its strings.

    python ci/messages.py [path …]

One line each, ``file:line: text``, to be read in one go; ``{…}`` stands for a value. Docstrings are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

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


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def docstrings_of(tree: ast.Module) -> set[ast.AST]:
    """Strings that stand alone: docstrings, and the like behind an attribute."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and is_text(node.value)}


def messages_of(tree: ast.Module, exceptions: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Line and text of each message, those of one call together."""
    passed_over = docstrings_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in exceptions | SPEAKING:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [argument for argument in arguments if is_text(argument)]
            passed_over |= {inner for text in texts for inner in ast.walk(text)}
            if said := [text for text in map(rendered, texts) if PROSE.search(text)]:
                yield node.lineno, " | ".join(said)
        elif is_text(node) and node not in passed_over:
            passed_over |= set(ast.walk(node))
            if PROSE.search(text := rendered(node)):  # type: ignore[arg-type]
                yield node.lineno, text  # type: ignore[attr-defined]


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
            for line, text in sorted(messages_of(tree, exceptions)):
                print(f"{path.relative_to(ROOT)}:{line}: {' '.join(text.split())}")


if __name__ == "__main__":
    main()
