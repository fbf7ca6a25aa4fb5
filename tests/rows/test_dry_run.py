"""A dry run says all that the run would refuse, and fails where it would."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from tests.operators.context import context
from tests.rows.operators import KINDS

ROWS = {name: kind for name, kind in KINDS.items() if kind.argument == "rows"}


def failure_of(kind: Any, rows: Any, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        kind.run(rows, **arguments)
    return str(caught.value).partition(" (row")[0]


#: What each operator refuses before it sends anything: rows, or arguments.
REFUSED: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {
    "no key": [("upsert", [{"title": "Oak"}], {}), ("upsert", [{"title": "Oak", "originId": "  "}], {})],
    "a text of nothing as key": [("upsert", [{"title": "Oak", "originId": "None"}], {})],
    "a key that is not a field": [("upsert", [{"title": "Oak", "originId": "1"}], {"key": "orignId"})],
    "a key that cannot be one": [("upsert", [{"title": "Oak", "opened": "Y"}], {"key": "opened"})],
    "a long key": [("upsert", [{"title": "Oak", "originId": "K" * 300}], {})],
    "no id": [("update", [{"title": "Oak"}], {}), ("update", [{"title": "Oak", "id": "x"}], {})],
    "a name that is not a field": [
        (name, [{"titel": "Oak", "originId": "1", "id": 1}], {"mapping": {"titel": "$titel", "originId": "$id"}})
        for name in ("add", "update", "upsert", "import")
    ],
    "a value that does not fit": [
        (name, [{"title": "Oak", "revenue": "12,50", "originId": "1", "id": 1}],
         {"mapping": {"title": "$title", "revenue": "$revenue", "originId": "$originId"}})
        for name in ("add", "update", "upsert", "import")
    ],
    "no such column": [(name, [{"x": 1}], {"mapping": {"title": "$name"}}) for name in ("add", "upsert", "import")],
    "a blank": [
        (name, [{"title": "", "originId": "1", "id": 1}], {"blank": "fail"}) for name in ("update", "upsert")
    ],
    "an id of a method": [
        ("add by method", [{"id": "", "x": 1}], {"method": "crm.deal.delete", "mapping": {"id": "$id"}})
    ],
    "a name in fields": [("add by method", [{"title": "x"}], {"mapping": {"fields": {"TITEL": "$title"}}})],
    "no fields": [("add by method", [{"title": "x"}], {"mapping": {"TITLE": "$title"}})],
}  # fmt: skip
CASES = [(reason, *case) for reason, cases in REFUSED.items() for case in cases]


@pytest.mark.parametrize(("reason", "name", "rows", "arguments"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_what_the_run_refuses_fails_the_dry_run_with_the_same_words(reason, name, rows, arguments, portal, connection):
    kind = KINDS[name]
    assert failure_of(kind, rows, dry_run=True, **arguments) == failure_of(kind, rows, **arguments)
    assert portal.executed(kind.method) == portal.executed("crm.deal.delete") == 0


@pytest.mark.parametrize("method", ["crm.deel.add", "nosuch.method", "CRM.DEEL.UPDATE"])
def test_a_method_that_there_is_not_fails_the_dry_run(method, portal, connection):
    kind = KINDS["add by method"]
    rows = [{"title": "Oak"}]
    failure = failure_of(kind, rows, method=method, dry_run=True)
    assert ": the portal has no such method: check the method's name; a self-hosted portal may lack the" in failure
    assert "ERROR_METHOD_NOT_FOUND" in failure_of(kind, rows, method=method)


def test_a_method_without_its_scope_fails_the_dry_run(portal, connect):
    connect()
    portal.scopes = {"task", "user"}
    failure = failure_of(KINDS["add by method"], [{"title": "Oak"}], dry_run=True)
    assert "crm.deal.add: the connection must not call this method: give its webhook" in failure


def test_a_portal_that_does_not_tell_its_methods_fails_no_dry_run(portal, connection):
    portal.fault("error", "method.get", code="ACCESS_DENIED", description="no", status=403, times=None)
    summary = KINDS["add by method"].run([{"title": "Oak"}], dry_run=True)
    assert (summary["ready"], summary["failed"]) == (1, 0)


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_may_fail_do_not_fail_the_dry_run_but_are_counted(name, portal, connection):
    kind, given = KINDS[name], context()
    rows = [*kind.rows(portal, 3), {"nothing": "of these"}, *kind.rows(portal, 3)[:1]]
    summary = kind.run(rows, dry_run=True, max_failures=1, given=given)
    assert (summary["ready"], summary["failed"]) == (4, 1)
    assert [line["outcome"] for line in summary["outcomes"]] == ["ready", "ready", "ready", "failed", "ready"]
    assert "bitrix24_rows" not in given["ti"].pushed


@pytest.mark.parametrize("name", ROWS)
def test_a_dry_run_that_fails_says_of_every_row_what_is_wrong(name, portal, connection):
    """Also of those behind the one that would have stopped the run."""
    kind, given = KINDS[name], context()
    rows = [{"nothing": "of these"}, *kind.rows(portal, 120), {"nothing": "of those"}]
    failure_of(kind, rows, dry_run=True, given=given)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["rows"], summary["ready"], summary["failed"]) == (122, 120, 2)
    assert portal.executed(kind.method) == 0
