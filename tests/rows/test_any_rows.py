"""
Any table, from any source, by any operator: read back, it is what was meant, or the row failed by its own fault.

And a second run of an update or an upsert changes nothing and adds nothing.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rows import meanings
from tests.rows.meanings import TYPES, ZONE, Blank, Refused
from tests.sqlite import sqlite_connection

#: More for a longer run.
EXAMPLES = int(os.environ.get("BITRIX24_TABLES", "20"))
SOURCES = ("list", "text", "jsonl", "csv", "parquet", "sql")
COMPANY = 4

BLANKS: dict[str, list[Any]] = {
    "list": [None, "", "  ", float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), []],
    "jsonl": [None, "", " \t", float("nan"), [], [None, ""]],
    "text": [None, "", "\u2003", float("nan"), [], [""]],
    "csv": ["", " ", "\u00a0"],
    "parquet": [None],
    "sql": [None],
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\x1a"), min_size=1, max_size=12) | (
    st.sampled_from(
        ["a,b", 'say "x"', "two\nlines", "NULL", "nan", "None", "007", "1e5", "$result[x]", "=1+1", "Ж 中 🙂", "é"]
    )
)
WHOLE = st.integers(-(2**40), 2**40)
FRACTIONS = st.floats(-1e12, 1e12, allow_nan=False) | st.sampled_from([0.1, 12.0, 1e-7, 2.0**53, 4.07e19, 1e22])
EXACT = st.decimals(-1000000, 1000000, places=2) | st.sampled_from([Decimal("1E+3"), Decimal("0.10"), Decimal(7)])
DAYS = st.dates(date(1990, 1, 1), date(2037, 1, 1))
NAIVE = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)) | st.sampled_from([datetime(2026, 10, 25, 2, 30)])
ZONES = st.sampled_from([timezone.utc, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), NAIVE, ZONES)
#: Values of one column, by the type of its field: kinds that a source can keep in one column.
COLUMNS: dict[str, list[st.SearchStrategy[Any]]] = {
    "text": [TEXTS, WHOLE, FRACTIONS, EXACT, st.booleans(), DAYS],
    "number": [FRACTIONS, WHOLE, EXACT, st.sampled_from(["1.5", " 2 ", "1,5", "1_000", "abc", "1e3", "+7", "٣"])],
    "whole": [
        WHOLE,
        WHOLE.map(float),
        FRACTIONS,
        EXACT,
        st.sampled_from(["5", " 6", "5.0", "5.5", "1 000", "x", "1e2"]),
    ],
    "flag": [st.booleans(), st.sampled_from([0, 1]), st.sampled_from(["Y", "n", "true", "NO", "maybe", "да"])],
    "day": [
        DAYS,
        NAIVE,
        MOMENTS.map(str),
        DAYS.map(str),
        st.sampled_from(["2026-02-30", "31.01.2026", "20260131", "x"]),
    ],
    "moment": [
        NAIVE,
        MOMENTS,
        MOMENTS.map(str),
        NAIVE.map(str),
        DAYS.map(str),
        st.sampled_from(["x", "2026-01-31T25:00"]),
    ],
    "texts": [TEXTS, st.lists(TEXTS | st.none() | st.just(" "), max_size=3)],
    "phones": [
        TEXTS,
        st.sampled_from(["+7 916 123-00-01", " 5 ", "(495) 1", "[1]", "5"]),
        WHOLE,
        FRACTIONS,
        st.lists(st.sampled_from(["5", "6", " 5 "]) | TEXTS | st.none(), max_size=3),
    ],
    "choice": [
        st.sampled_from(["Red", " green", "BOTTLE GREEN", "bottle", "purple", "0", "5.5"]),
        st.deferred(lambda: st.sampled_from([*meanings.CHOICES, 7])),
        st.deferred(lambda: st.sampled_from([*map(float, meanings.CHOICES), 1.5])),
        st.deferred(lambda: st.sampled_from([*map(str, meanings.CHOICES), "7"])),
    ],
    "money": [st.sampled_from(["300|EUR", " 12.50 | usd ", "0.1|EUR", "300", "EUR", "300|EURO", "1,5|EUR", "-5|EUR"])],
}
#: What only lists and objects hold.
NESTED: dict[str, st.SearchStrategy[Any]] = {
    "money": st.fixed_dictionaries({"amount": st.sampled_from([300, "12.50", "x"]), "currency": st.just("EUR")}),
}
KEYS: dict[str, list[Any]] = {
    "list": [
        *("k1", " k1", "K1", "k 1", "K  1", "k1\t", "\u2003k1", "é", "e\u0301", "É", np.str_("k1"), pd.NA, pd.NaT),
        *(5, "5", 5.0, np.int64(5), np.float64(5), np.uint8(5), "5.0", Decimal(5), Decimal("5.00"), 5.5, "05"),
        *("", None, "None", True, 2.0**53, " ", ["k1"], np.nan),
    ],
    "parquet": ["k1", " k1", "k1 ", "K1", "k 1", "k\u00a01", "\ufeffk1", "é", "e\u0301", "", "None", "nan"],
}
OF_NUMPY: dict[type, list[Any]] = {
    int: [np.int64, np.uint64, np.int16],
    float: [np.float64, np.float32],
    bool: [np.bool_],
    str: [np.str_],
    datetime: [pd.Timestamp],
    date: [np.datetime64],
    list: [lambda members: np.array(members, dtype=object)],
}


@st.composite
def tables(draw: Any, source: str, **more: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    """
    :param more: columns beside those of fields.
    """
    names = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=4, unique=True))
    columns = {**more}
    for name in names:
        values = draw(st.sampled_from(COLUMNS[TYPES[name]]))
        if TYPES[name] in ("texts", "phones") and source in ("csv", "sql"):
            values = TEXTS
        if TYPES[name] in NESTED and source in ("list", "text", "jsonl"):
            values |= NESTED[TYPES[name]]
        cells = st.one_of(values, values, values, st.sampled_from(BLANKS[source]))
        if source == "list" and draw(st.booleans()):
            cells = cells.map(draw(st.integers(0, 2).map(of_numpy)))
        columns[name] = cells
    return draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=5))


def of_numpy(place: int) -> Any:
    """What makes a scalar of numpy or pandas of a value, or an array, where the kind at this place can hold it."""

    def made(value: Any) -> Any:
        kinds = OF_NUMPY.get(type(value), [])
        try:
            return kinds[place % len(kinds)](value) if kinds else value
        except OverflowError:
            return value

    return made


def plain(value: Any) -> Any:
    """For JSON: what it has no form for as text."""
    return value.isoformat() if isinstance(value, date) else f"{value:f}" if isinstance(value, Decimal) else str(value)


class Source:
    """Rows in a file or a database, and the arguments that name it; ``rows`` are as the source hands them out."""

    def __init__(self, kind: str, rows: list[dict[str, Any]], folder: Path) -> None:
        self.rows = rows
        place = Path(tempfile.mkdtemp(dir=folder)) / f"rows.{kind}"
        self.arguments: dict[str, Any] = {"rows": str(place)}
        if kind == "list":
            self.arguments = {"rows": rows}
        elif kind == "text":
            # What a template makes of another task's result.
            text = json.dumps(rows, default=plain)
            self.rows = json.loads(text)
            self.arguments = {"rows": text}
        elif kind == "jsonl":
            lines = [json.dumps(row, default=plain, ensure_ascii=False) for row in rows]
            place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            self.rows = [json.loads(line) for line in lines]
        elif kind == "csv":
            with place.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]), quoting=csv.QUOTE_ALL)
                writer.writeheader()
                writer.writerows(rows)
            self.rows = [{name: str(value) for name, value in row.items()} for row in rows]
        elif kind == "parquet":
            write_table(pyarrow.table({name: pyarrow.array([row[name] for row in rows]) for name in rows[0]}), place)
            self.rows = pyarrow.parquet.read_table(place).to_pylist()
        else:
            self._fill(place, rows)
            os.environ["AIRFLOW_CONN_ANY_ROWS"] = sqlite_connection(place)
            self.arguments = {"sql": "SELECT * FROM firms ORDER BY rowid", "sql_conn_id": "any_rows"}

    def _fill(self, place: Path, rows: list[dict[str, Any]]) -> None:
        def cell(value: Any) -> Any:
            return (
                value
                if value is None or type(value) in (int, float, str)
                else int(value)
                if isinstance(value, bool)
                else plain(value)
            )

        names = list(rows[0])
        self.rows = [{name: cell(row[name]) for name in names} for row in rows]
        with sqlite3.connect(place) as connection:
            connection.execute(f"CREATE TABLE firms ({', '.join(names)})")
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO firms VALUES ({marks})", [list(row.values()) for row in self.rows])
        connection.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> Iterator[tuple[Sandbox, Path]]:
    with Sandbox(deals=1, tasks=0) as portal, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(rate=1e6, burst=1e6))
        patch.setenv("AIRFLOW_CONN_ANY_ROWS", "{}")
        meanings.make_fields(Bitrix24Hook().get_conn())
        yield portal, tmp_path_factory.mktemp("any")


def items(portal: Sandbox) -> dict[int, dict[str, Any]]:
    """What the portal holds of each company, by id."""
    known = portal.items(COMPANY)
    return {
        item["id"]: {
            **{name: meanings.held(kind, item.get("fm" if kind == "phones" else name)) for name, kind in TYPES.items()},
            "key": item.get("originId"),
        }
        for item in known
    }


def run(operator: Any, source: Source, data: Any, **arguments: Any) -> list[dict[str, Any]]:
    """The outcomes of the rows."""
    summary = operator(
        task_id="task", entity_type_id=COMPANY, max_failures=None, **source.arguments, **arguments
    ).execute(context())
    lines = summary["outcomes"]
    assert [line["row"] for line in lines] == list(range(len(source.rows)))
    return lines


@st.composite
def rules(draw: Any) -> dict[str, Any]:
    """Arguments about cells."""
    blank = draw(st.sampled_from(["keep", "clear", "fail"]))
    return {"blank": blank, **({"timezone": ZONE} if draw(st.booleans()) else {})}


def added(held: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What changes of an item: phones that it has stay and are not added again."""
    phones = sorted({*(held.get("PHONE") or ()), *(given.get("PHONE") or ())}) or None
    rest = {name: None if value is Blank else value for name, value in given.items() if name != "PHONE"}
    return rest | ({"PHONE": phones} if phones != held.get("PHONE") else {})


def anything(function: Any) -> Any:
    return settings(
        max_examples=EXAMPLES, derandomize=EXAMPLES <= 100, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(data=st.data())(function))  # fmt: skip


def meant(row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """
    What a row says of fields, ``Blank`` under those that it has no value for.

    :raises Refused: it fails.
    """
    found = meanings.expected(row, zone="timezone" in given)
    if given["blank"] == "fail" and Blank in found.values():
        raise Refused
    return found


@pytest.mark.parametrize("operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator])
@pytest.mark.parametrize("kind", SOURCES)
@anything
def test_what_is_added_is_what_was_meant(operator: Any, kind: str, world: Any, data: Any) -> None:
    portal, folder = world
    source, given = Source(kind, data.draw(tables(kind)), folder), data.draw(rules())
    before = items(portal)
    lines = run(operator, source, data, **given)
    made = {item_id: item for item_id, item in items(portal).items() if item_id not in before}
    for row, line in zip(source.rows, lines, strict=True):
        if all(map(meanings.is_nothing, row.values())):
            assert line["outcome"] == "skipped", (row, line)
            continue
        try:
            fields = meant(row, given)
        except Refused:
            assert line["outcome"] == "failed", (row, line)
            continue
        assert line["outcome"] in ("written", "imported"), (row, line)
        item = made.pop(line["id"])
        for name, value in fields.items():
            # A company without a title gets one.
            assert item[name] == (None if value is Blank else value) or (name == "title" and value is Blank), (
                row,
                item,
            )
    assert not made


@pytest.mark.parametrize("kind", SOURCES)
@anything
def test_what_is_updated_is_what_was_meant(kind: str, world: Any, data: Any) -> None:
    portal, folder = world
    own = portal.add_items(
        COMPANY, 3, title="Old", comments="Kept", revenue=7, ufCrm_WHOLE=8, ufCrm_FLAG="Y", ufCrm_TEXTS=["old"]
    )
    form = data.draw(
        st.sampled_from([int, str, float]) if kind != "list" else st.sampled_from([int, np.int64, str, float])
    )
    ids = st.sampled_from([form(item_id) for item_id in own] + ([form(10**6)] if kind != "parquet" else []))
    source, given = Source(kind, data.draw(tables(kind, id=ids)), folder), data.draw(rules())
    state = items(portal)
    lines = run(Bitrix24BulkWriteOperator, source, data, operation="update", **given)
    for row, line in zip(source.rows, lines, strict=True):
        cells = {name: value for name, value in row.items() if name != "id"}
        try:
            fields = {
                name: value
                for name, value in meant(cells, given).items()
                if value is not Blank or given["blank"] == "clear"
            }
        except Refused:
            assert line["outcome"] == "failed", (row, line)
            continue
        item_id = int(float(row["id"]))
        if kind == "csv" and form is float:
            # "12.0" is not an id.
            assert line["outcome"] == "failed", (row, line)
        elif fields.get("PHONE") is Blank:
            # Only entries can be removed, by their ids.
            assert line["outcome"] == "failed", (row, line)
        elif not fields:
            assert line["outcome"] == "unchanged", (row, line)
        elif item_id not in state:
            assert line["outcome"] == "failed", (row, line)
        else:
            changed = added(state[item_id], fields)
            assert line["outcome"] == ("written" if changed else "unchanged"), (row, line)
            state[item_id] |= changed
    assert items(portal) == state
    run(Bitrix24BulkWriteOperator, source, data, operation="update", **given)
    assert items(portal) == state


@pytest.mark.parametrize("kind", SOURCES)
@anything
def test_what_is_upserted_is_what_was_meant_and_there_once(kind: str, world: Any, data: Any) -> None:
    portal, folder = world
    keys = st.sampled_from(KEYS.get(kind, [*KEYS["parquet"], "5", "5.0", " ", "\u00a0k1"]))
    source, given = Source(kind, data.draw(tables(kind, originId=keys)), folder), data.draw(rules())
    state = items(portal)
    by_key = {item["key"]: item_id for item_id, item in state.items() if item["key"]}
    lines = run(Bitrix24UpsertItemsOperator, source, data, key="originId", **given)
    for row, line in zip(source.rows, lines, strict=True):
        cells = {name: value for name, value in row.items() if name != "originId"}
        if all(map(meanings.is_nothing, row.values())):
            assert line["outcome"] == "skipped", (row, line)
            continue
        try:
            fields, key = meant(cells, given), meanings.key_of(row["originId"])
        except Refused:
            assert line["outcome"] == "failed", (row, line)
            continue
        if meanings.is_nothing(row["originId"]) or key in ("None", "nan"):
            assert line["outcome"] == "failed", (row, line)
            continue
        if given["blank"] == "clear" and fields.get("PHONE") is Blank:
            assert line["outcome"] == "failed", (row, line)
            continue
        is_new = key not in by_key
        said = {
            name: value
            for name, value in fields.items()
            if value is not Blank or (given["blank"] == "clear" and not is_new)
        }
        changed = added({} if is_new else state[by_key[key]], said)
        assert line["outcome"] == ("created" if is_new else "updated" if changed else "unchanged"), (row, line)
        if is_new:
            by_key[key] = line["id"]
            made = items(portal)[line["id"]]
            state[line["id"]] = {**dict.fromkeys(TYPES), "title": made["title"], "key": key}
        assert line["id"] == by_key[key], (row, line)
        state[by_key[key]] |= changed
    made = items(portal)
    for item_id, item in state.items():
        assert (
            {**made[item_id], "title": None} == {**item, "title": None}
            if item["title"] == f"Company #{item_id}"
            else made[item_id] == item
        )
    assert made.keys() == state.keys()
    if given["blank"] == "clear":
        # What the portal has given a new item by itself is cleared by the second run.
        run(Bitrix24UpsertItemsOperator, source, data, key="originId", **given)
        assert items(portal).keys() == made.keys()
        made = items(portal)
    run(Bitrix24UpsertItemsOperator, source, data, key="originId", **given)
    assert items(portal) == made
