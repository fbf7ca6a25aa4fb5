"""The tables of arguments in the pages are what signatures and docstrings say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


def script() -> Any:
    spec = importlib.util.spec_from_file_location("make_argument_tables", ROOT / "ci/make_argument_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = script()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tables_of_a_page_are_fresh(page):
    text = page.read_text("utf-8")
    assert TABLES.renewed(text) == text, "run: python ci/make_argument_tables.py"


def test_every_class_that_dags_import_has_one_table():
    named = re.findall(r"^### `(Bitrix24\w+)`$", "".join(page.read_text("utf-8") for page in PAGES), re.M)
    package = ROOT / "airflow_provider_bitrix24"
    modules = [
        f"{folder}.{file.stem}"
        for folder in ("operators", "sensors", "transfers", "notifications")
        for file in (package / folder).glob("*.py")
        if not file.stem.startswith("_")
    ]
    assert sorted(named) == sorted(cls.__name__ for cls in TABLES.classes_of(", ".join(modules)))


class Parent:
    """
    A parent.

    :param conn_id: whose; templated.
    """

    template_fields = ("conn_id",)

    def __init__(self, *, conn_id: str = "default", **kwargs: Any) -> None: ...


class Child(Parent):
    """
    A child.

    :param rows: what is sent, ``a | b``, over
        two lines; templated, as :class:`~a.b.Child` has it.
    :param limit: most of them.
    :raises ValueError: never.
    """

    template_fields = (*Parent.template_fields, "rows")

    def __init__(
        self, *, rows: dict[str, int | None] | str, limit: int | NotGiven = NOT_GIVEN, mode: str = "a|b", **kwargs: Any
    ) -> None: ...


class Documented(Child):
    """
    :param mode: in which way.
    """


@pytest.fixture(autouse=True)
def _ours(monkeypatch):
    for cls in (Parent, Child, Documented):
        monkeypatch.setattr(cls, "__module__", "airflow_provider_bitrix24.operators.of_a_test")


def test_a_line_has_what_signature_and_docstring_say():
    assert [argument.line() for argument in TABLES.arguments_of(Documented)] == [
        "| `rows` | `dict[str, int or None] or str` | required | yes "
        "| what is sent, `a \\| b`, over two lines, as `Child` has it. |",
        "| `limit` | `int` |  |  | most of them. |",
        "| `mode` | `str` | `'a\\|b'` |  | in which way. |",
        "| `conn_id` | `str` | `'default'` | yes | whose. |",
    ]


def test_an_argument_without_a_docstring_is_named():
    with pytest.raises(ValueError, match="Child has no :param of mode"):
        TABLES.arguments_of(Child)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("| `payment_id` | `int or str` | required", "| `payment_id` | `int` | required"),
        ("| `max_deletions` | `int or str` | `1000`", "| `max_deletions` | `int or str` | `100`"),
        ("| `missing_ok` |", "| `missing` |"),
        ("### `Bitrix24PayPaymentOperator`", "### `Bitrix24PayOperator`"),
    ],
)
def test_a_stale_table_is_found(was, becomes):
    page = (ROOT / "docs/payments.md").read_text("utf-8")
    assert was in page
    stale = page.replace(was, becomes, 1)
    assert TABLES.renewed(stale) == page != stale
