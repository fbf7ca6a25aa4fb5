"""Rows of files, lists and databases: read as they were meant, or refused with the place that is wrong."""

from __future__ import annotations

import datetime
import errno
import sqlite3
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.rows.sources import rows_of
from tests.operators.context import context
from tests.sqlite import sqlite_connection

GERMAN = {"delimiter": ";", "decimal": ",", "encoding": "cp1252"}


def read(folder: Any, name: str, content: bytes | str, csv: Any = None) -> list[dict[str, Any]]:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return list(rows_of(str(folder / name), None, None, csv))


def refusal_of(folder: Any, name: str, content: bytes | str, csv: Any = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, name, content, csv)
    return str(caught.value)


def write(operator: type = Bitrix24BulkWriteOperator, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(context())


def failure_of(**arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        write(**arguments)
    return str(caught.value)


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Runs statements, and is the connection ``firms``."""
    place = tmp_path / "firms.db"
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(place))
    with sqlite3.connect(place) as connection:
        yield connection


# Files


def test_rows_come_from_json_lines_csv_and_parquet_alike(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "r.jsonl").write_text('{"a": "1", "b": "ü"}\n\n{"a": "2", "b": ""}\n')
    (tmp_path / "r.csv").write_text('\ufeffa,b\r\n1,ü\r\n2,""\r\n')
    parquet.write_table(pa.table({"a": ["1", "2"], "b": ["ü", ""]}), tmp_path / "r.parquet")
    expected = [{"a": "1", "b": "ü"}, {"a": "2", "b": ""}]
    for ending in ("jsonl", "csv", "parquet"):
        assert list(rows_of(str(tmp_path / f"r.{ending}"), None, None)) == expected


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_file_that_must_not_be_read_is_named(ending, tmp_path, monkeypatch):
    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Tests may run as root, who may read everything.
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem._open", refuse)
    message = refusal_of(tmp_path, f"r.{ending}", "")
    assert "the file that rows names cannot be read (Permission denied): give the user" in message
    assert f"r.{ending}" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", "a;b\n1;2\n", "the header of r.csv is one column, 'a;b': write the file with commas in place of ';'"),
        ("r.csv", "a,a\n1,2\n", "has the column 'a' more than once"),
        ("r.csv", "a\nЗавод\n".encode("cp1251"), "line 2 of r.csv is not UTF-8: write the file in UTF-8"),
        ("r.csv", "a\nЗавод\n".encode("utf-16"), "line 1 of r.csv is not UTF-8: write the file in UTF-8"),
        (
            "r.csv",
            b"a\n" + b"x" * 140_000 + b"\n",
            "cannot be read as CSV: the row that begins in line 2 (field larger",
        ),
        ("r.csv", "a,b\n1\n", "line 2 of r.csv has 1 of 2 values: that of 'b' is missing"),
        ("r.csv", 'a,b\n"x\ny",2\n1,2,3\n', "line 4 of r.csv has 3 values, and its header 2"),
        ("r.csv", "a,b\r1,2\r", "end its lines with LF or CRLF"),
        ("r.csv", "a\n" + "x" * 140_000 + "\n", "longer values are read from JSON lines"),
        ("r.jsonl", '{"a": 1}\nb\n', "line 2 of r.jsonl is not JSON: write one object to a line"),
        ("r.jsonl", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "line 1 of r.jsonl: JSON is nested too deep"),
        ("r.parquet", b"", "r.parquet cannot be read as Parquet (Parquet file size is 0 bytes)"),
        ("r.parquet", b"PAR1 and then nothing", "r.parquet cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place_and_a_hint(name, content, message, tmp_path):
    assert message in refusal_of(tmp_path, name, content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n', 3),
        ('a,b\n1,"x"y\n', 2),
        ('a,b\n1,12" pipe\n"2" x,3\n', 3),
        ('sep=;\na;b\n\n1;"x\n2;3\n', 4),
        ('a,"b\n1,2\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_swallows_no_rows(content, line, tmp_path, portal, connection):
    message = refusal_of(tmp_path, "r.csv", content)
    assert f"r.csv cannot be read as CSV: the row that begins in line {line} (" in message


def test_rows_behind_such_a_quote_are_not_written_and_those_before_are_reported(tmp_path, portal, connection):
    (tmp_path / "r.csv").write_text("title\n" + "\n".join(f"Firm {i}" for i in range(60)) + '\n"Firm 60\nFirm 61\n')
    failure = failure_of(entity_type_id=4, rows=str(tmp_path / "r.csv"))
    assert "the row that begins in line 62" in failure
    assert "{'written': 50, 'not_done': 10} before" in failure


def test_quotes_commas_and_line_breaks_in_values_are_read(tmp_path):
    rows = read(tmp_path, "r.csv", 'a,b\n"12"" pipe, long","x\r\ny"\n1,\n')
    assert rows == [{"a": '12" pipe, long', "b": "x\r\ny"}, {"a": "1", "b": ""}]


@pytest.mark.parametrize("line", ["   ", "\t", " \r", "\x1a"])
def test_a_line_of_blanks_is_not_a_row(line, tmp_path):
    assert read(tmp_path, "r.csv", f"a,b\n1,2\n{line}\n3,4\n{line}") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize("end", ["\r\n\x1a", "\x1a", "\n\x1a\n", "\r\n\x1a\x1a\x1a", "\r\n\x1a\r\n"])
@pytest.mark.parametrize(
    ("name", "content"), [("r.csv", "title\r\nL1"), ("r.csv", 'title\r\n"L1"'), ("r.jsonl", '{"title": "L1"}')]
)
def test_the_mark_that_dos_ends_a_file_with_adds_nothing(name, content, end, tmp_path):
    assert read(tmp_path, name, f"{content}{end}") == [{"title": "L1"}]


@pytest.mark.parametrize("operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator])
def test_so_it_adds_none(operator, tmp_path, portal, connection):
    before = len(portal.items(1))
    (tmp_path / "r.csv").write_bytes(b"title\r\nL1\r\n\x1a")
    assert write(operator, entity_type_id=1, rows=str(tmp_path / "r.csv"))["rows"] == 1
    assert [item["title"] for item in portal.items(1)[before:]] == ["L1"]


def test_nor_does_it_upsert_one(tmp_path, portal, connection):
    (tmp_path / "r.csv").write_bytes(b"originId\r\nK-1\r\n\x1a")
    rows = str(tmp_path / "r.csv")
    assert write(Bitrix24UpsertItemsOperator, entity_type_id=4, key="originId", rows=rows)["rows"] == 1
    assert [item["originId"] for item in portal.items(4) if item["originId"]] == ["K-1"]


def test_what_looks_like_that_mark_within_a_file_is_a_value(tmp_path):
    assert read(tmp_path, "r.csv", "title\r\nL1\x1a\r\nL2\r\n") == [{"title": "L1\x1a"}, {"title": "L2"}]


@pytest.mark.parametrize("text", ['\ufeff[{"title": "Oak"}]', '{"title": "Oak"}', ' \n{"title": "Oak"}\n'])
def test_the_json_text_of_rows_is_not_an_address(text, portal, connection):
    assert write(entity_type_id=4, rows=text)["written"] == 1


def test_half_an_object_is_called_so(portal, connection):
    assert "rows is not JSON" in failure_of(entity_type_id=4, rows='{"title": "Oak"')
    assert "add | tojson to it" in failure_of(entity_type_id=4, rows="{'title': 'Oak'}")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_excels_first_line_and_a_byte_order_mark_are_understood(mark, first, tmp_path):
    assert read(tmp_path, "r.csv", f"{mark}{first}a;b\n1,5;2\n") == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize(
    ("csv", "content"),
    [
        (GERMAN, "a;b\nMüller;1\n".encode("cp1252")),
        ({"encoding": "utf-16"}, "a,b\nMüller,1\n".encode("utf-16")),
        ({"delimiter": "\t"}, "a\tb\nMüller\t1\n"),
        ({"delimiter": "|", "encoding": "utf-8"}, "\ufeffa|b\r\nMüller|1\r\n"),
    ],
)
def test_other_forms_of_csv_are_read_where_they_are_named(csv, content, tmp_path):
    assert read(tmp_path, "r.csv", content, csv) == [{"a": "Müller", "b": "1"}]


def test_a_long_file_in_a_wide_encoding_is_read_to_its_end(tmp_path):
    lines = [f"Zażółć {number}" for number in range(30_000)]
    rows = read(tmp_path, "r.csv", "\n".join(["a", *lines]).encode("utf-16"), {"encoding": "utf-16"})
    assert [row["a"] for row in rows] == lines


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ({"delimeter": ";"}, "csv has 'delimeter': did you mean delimiter?"),
        ({"delimiter": ";;"}, "delimiter of csv is ';;'"),
        ({"decimal": "·"}, "decimal of csv is '·': write . or ,"),
        ({"encoding": "latin-99"}, "encoding of csv is 'latin-99'"),
        ({"encoding": "hex"}, "encoding of csv is 'hex'"),
        ({"encoding": "rot13"}, "encoding of csv is 'rot13'"),
        ({"encoding": "zip"}, "encoding of csv is 'zip'"),
        ({"encoding": "utf\0"}, "encoding of csv is 'utf\\x00'"),
        ({"delimiter": None}, "delimiter of csv is None"),
        (";", "csv is not an object, but ';'"),
    ],
)
def test_a_form_of_csv_that_cannot_be_is_refused_before_anything_is_sent(csv, message, tmp_path, portal, connection):
    (tmp_path / "r.csv").write_text("title\nOak\n")
    assert message in failure_of(entity_type_id=4, rows=str(tmp_path / "r.csv"), csv=csv)
    assert portal.requests == 0


def test_a_form_of_csv_for_what_is_none_is_refused(tmp_path, portal, connection):
    (tmp_path / "r.jsonl").write_text("{}")
    assert "csv is given for a .jsonl file" in failure_of(entity_type_id=4, rows=str(tmp_path / "r.jsonl"), csv=GERMAN)
    assert "csv is given, but rows is not a file" in failure_of(entity_type_id=4, rows=[{}], csv=GERMAN)
    conflict = refusal_of(tmp_path, "r.csv", "sep=;\na;b\n", {"delimiter": "|"})
    assert "says 'sep=;', and csv says the delimiter '|'" in conflict


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"b": {"a": 1, "a": 2}}', '{"a": [{"x": 1, "x": 1}]}', '{"id": 1, "x": 2, "id": 1}']
)
def test_an_object_with_a_name_twice_is_refused(text, tmp_path):
    assert "line 2 of r.jsonl: an object has the column" in refusal_of(tmp_path, "r.jsonl", f'{{"a": 1}}\n{text}\n')
    with pytest.raises(ConfigurationError, match="an object has the column"):
        list(rows_of(f"[{text}]", None, None))


def test_narrow_floats_of_parquet_are_what_they_were_written_as(tmp_path, portal, connection):
    import pyarrow as pa
    from pyarrow import parquet

    def table(**columns):
        return pa.table({name: pa.array(values, type=pa.float32()) for name, values in columns.items()})

    file = tmp_path / "r.parquet"
    parquet.write_table(table(title=[0.1, None, 1234567.0], revenue=[0.5, 2.0, 79161230001.0]), file)
    outcomes = write(entity_type_id="company", rows=str(file))["outcomes"]
    items = [portal.item(4, outcome["id"]) for outcome in outcomes]
    assert [item["title"] for item in items][::2] == ["0.1", "1234567"]
    assert [float(item["revenue"]) for item in items] == [0.5, 2.0, 79161230000.0]
    parquet.write_table(table(PHONE=[79161230001.0]), file)
    assert "PHONE is " in (message := failure_of(entity_type_id="company", rows=str(file)))
    assert "a float that cannot keep all digits of such a number" in message


def test_floats_of_16_bits_that_have_lost_digits_fail_as_a_key(tmp_path, portal, connection):
    import pyarrow as pa
    from pyarrow import parquet

    file = tmp_path / "r.parquet"
    for number, written in ((2047.0, True), (2049.0, False)):
        parquet.write_table(pa.table({"k": pa.array(np.array([number], np.float16)), "t": ["Oak"]}), file)
        arguments = {
            "operator": Bitrix24UpsertItemsOperator, "entity_type_id": "company", "key": "originId",
            "rows": str(file), "mapping": {"originId": "$k", "title": "$t"},
        }  # fmt: skip
        if written:
            write(**arguments)
            assert portal.items(4)[-1]["originId"] == "2047"
        else:
            assert "a float that cannot keep all digits of such a number" in failure_of(**arguments)


def test_a_naive_time_of_parquet_names_the_argument_for_its_zone(tmp_path, portal, connection):
    import pyarrow as pa
    from pyarrow import parquet

    file = tmp_path / "r.parquet"
    parquet.write_table(pa.table({"title": ["Oak"], "comments": pa.array([0], pa.timestamp("us"))}), file)
    arguments = {"entity_type_id": "company", "rows": str(file)}
    assert 'for many rows, give timezone="Europe/Berlin"' in failure_of(**arguments)
    assert write(**arguments, timezone="Europe/Berlin")["written"] == 1
    assert portal.items(4)[-1]["comments"] == "1970-01-01T00:00:00+01:00"


def test_the_header_of_a_second_file_is_refused(tmp_path, portal, connection):
    file = tmp_path / "r.csv"
    file.write_text("title,comments\nOak,x\n\ufefftitle,comments\nElm,y\n", encoding="utf-8")
    before = [item["title"] for item in portal.items(4)]
    assert "line 3 of r.csv is its header again" in failure_of(entity_type_id="company", rows=str(file))
    assert {item["title"] for item in portal.items(4)} - set(before) <= {"Oak"}
    # In one column, it may be a value.
    file.write_text("title\nOak\ntitle\n", encoding="utf-8")
    assert write(entity_type_id="company", rows=str(file))["written"] == 2


def test_two_dollar_signs_are_one_where_a_column_begins_with_one(portal, connection):
    rows = [{"$x": "value"}]
    for text, title in (("$$x", "$x"), ("${$x}", "value")):
        write(entity_type_id="company", rows=rows, mapping={"title": text})
        assert portal.items(4)[-1]["title"] == title


def test_parquet_columns_of_one_name_are_refused(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    parquet.write_table(table, tmp_path / "r.parquet")
    with pytest.raises(ConfigurationError, match=r"r\.parquet has the column 'a' more than once"):
        list(rows_of(str(tmp_path / "r.parquet"), None, None))


# Numbers and times


@pytest.mark.parametrize(
    ("text", "sent"),
    [("12,50", "12.50"), ("1 234,5", "1234.5"), ("1\u00a0234", "1234"), ("-7", "-7")],
)
def test_a_number_with_a_comma_is_read_where_that_is_said(text, sent, tmp_path, portal, connection):
    (tmp_path / "r.csv").write_bytes(f"title;revenue\n1,5 Fässer;{text}\n".encode("cp1252"))
    for operator, more in (
        (Bitrix24UpsertItemsOperator, {"key": "title"}),
        (Bitrix24BulkWriteOperator, {}),
        (Bitrix24ImportItemsOperator, {}),
    ):
        write(operator, entity_type_id=4, rows=str(tmp_path / "r.csv"), csv=GERMAN, **more)
    items = [item for item in portal.items(4) if item["title"] == "1,5 Fässer"]
    assert {float(item["revenue"]) for item in items} == {float(sent)}


@pytest.mark.parametrize("text", ["1.234,50", "12.5", "12,5,0", "zwölf"])
def test_a_number_in_another_form_fails_its_row(text, tmp_path, portal, connection):
    (tmp_path / "r.csv").write_bytes(f"title;revenue\nOak;{text}\n".encode("cp1252"))
    failure = failure_of(entity_type_id=4, rows=str(tmp_path / "r.csv"), csv=GERMAN)
    assert f"revenue is {text!r}, which is not a number with a comma" in failure


def test_a_comma_is_refused_by_default_and_with_a_method(tmp_path, portal, connection):
    (tmp_path / "r.csv").write_text('title,revenue\nOak,"12,50"\n')
    assert "revenue takes a number" in failure_of(entity_type_id=4, rows=str(tmp_path / "r.csv"))
    failure = failure_of(method="crm.deal.add", rows=str(tmp_path / "r.csv"), csv={"decimal": ","})
    assert "csv has a decimal, and which params of a method are numbers is not known" in failure


MOMENT = datetime.datetime(2026, 7, 1, 9, 30)


@pytest.mark.parametrize("value", [MOMENT, "2026-07-01 09:30:00", "2026-07-01T09:30"], ids=str)
def test_a_time_without_a_zone_needs_one_or_is_refused(value, portal, connection):
    arguments = {"entity_type_id": 4, "rows": [{"title": "Oak", "createdTime": value}]}
    failure = failure_of(operator=Bitrix24ImportItemsOperator, **arguments)
    assert "has no time zone" in failure
    summary = write(Bitrix24ImportItemsOperator, timezone="Europe/Berlin", **arguments)
    item = portal.item(4, summary["outcomes"][0]["id"])
    meant = datetime.datetime(2026, 7, 1, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert datetime.datetime.fromisoformat(item["createdTime"]) == meant


def test_a_time_with_a_zone_keeps_it(portal, connection):
    rows = [{"title": "Oak", "createdTime": "2026-07-01T09:30:00+05:00"}]
    summary = write(Bitrix24ImportItemsOperator, entity_type_id=4, rows=rows, timezone="Europe/Berlin")
    item = portal.item(4, summary["outcomes"][0]["id"])
    assert datetime.datetime.fromisoformat(item["createdTime"]).astimezone(datetime.timezone.utc).hour == 4


@pytest.mark.parametrize("text", ["2026-10-25 02:30:00", "2026-03-29 02:30:00"])
def test_a_time_that_the_clock_showed_twice_or_never_is_refused(text, portal, connection):
    rows = [{"title": "Oak", "createdTime": text}]
    failure = failure_of(operator=Bitrix24ImportItemsOperator, entity_type_id=4, rows=rows, timezone="Europe/Berlin")
    assert "which the clock of Europe/Berlin showed twice or not at all" in failure


def test_times_of_a_database_get_their_zone_in_the_params_of_a_method_too(portal, connection):
    rows = [{"t": "Oak", "begin": MOMENT}]
    mapping = {"fields": {"TITLE": "$t", "COMMENTS": "$begin"}}
    assert "a time without a time zone" in failure_of(method="crm.deal.add", rows=rows, mapping=mapping)
    summary = write(method="crm.deal.add", rows=rows, mapping=mapping, timezone="Asia/Tokyo")
    assert portal.item(2, summary["outcomes"][0]["id"])["comments"] == "2026-07-01T09:30:00+09:00"


@pytest.mark.parametrize("zone", ["Berlin", "", "+03:00", 3, "../etc/passwd"])
def test_a_zone_that_there_is_not_is_refused(zone, portal, connection):
    assert f"timezone is {zone!r}" in failure_of(entity_type_id=4, rows=[{"title": "Oak"}], timezone=zone)
    assert portal.requests == 0


# Mappings


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("K-$id", "K-7"), ("$id", 7), ("${id}", 7), ("$$id", "$id"), ("$$$id", "$7"), ("$id$id", "77"),
        ("a $$ b", "a $ b"), ("100$", "100$"), ("$ 5", "$ 5"), ("${any name}: $id", "x: 7"), ("$any name", "x"),
        ("$größe", "XL"), ("$float/$decimal", "12/1.50"), ("$day", datetime.date(2026, 1, 2)),
        ("on $day", "on 2026-01-02"), ("no. $whole", "no. 7"), ("$small/$half", "0.0000001/0.5"),
        ("$blank$id", "7"), ("at $time", "at 2026-01-02"),
    ],
)  # fmt: skip
def test_columns_are_filled_in_wherever_a_text_names_them(text, filled):
    from airflow_provider_bitrix24.rows.template import RowTemplate

    row = {
        "id": 7, "any name": "x", "größe": "XL", "float": 12.0, "decimal": Decimal("1.50"), "blank": None,
        "day": datetime.date(2026, 1, 2), "whole": np.int64(7), "small": 1e-7, "half": np.float32(0.5),
        "time": np.datetime64("2026-01-02"),
    }  # fmt: skip
    assert RowTemplate({"a": text, "b": [{"c": text}]}).fill(row) == {"a": filled, "b": [{"c": filled}]}


@pytest.mark.parametrize(
    "mapping",
    [
        {"fm": {"$phone_id": {"typeId": "PHONE", "value": "$phone"}}},
        {"${any name}": "x"},
        {"title": "x", "UF_CRM_$phone_id": "$phone"},
        {"fm": [{"typeId": "PHONE", "value": "$phone", "$phone": "x"}]},
    ],
)
@pytest.mark.parametrize("kind", ["item", "method"])
def test_a_column_in_place_of_a_name_is_refused(mapping, kind, portal, connection):
    """It was sent as it is: a phone was added in place of the one whose id the column had."""
    given = {"entity_type_id": 4, "operation": "update"}
    if kind == "method":
        given, mapping = {"method": "crm.timeline.comment.add"}, {"fields": mapping}
    failure = failure_of(**given, rows=[{"id": 1, "phone_id": 101, "phone": "+1"}], mapping=mapping)
    assert "as a name, and columns are filled in only as values" in failure
    assert portal.requests == 0


UNCLOSED = ["${id", "K-${id", "$id-${name", "${}", "$$${id"]


@pytest.mark.parametrize("text", UNCLOSED)
@pytest.mark.parametrize("shape", [lambda text: text, lambda text: [{"typeId": "PHONE", "value": text}]])
def test_a_placeholder_that_is_not_closed_is_refused(text, shape, portal, connection):
    """It was sent as it is: as a key, the same one in each row, so that all rows became one item."""
    for arguments in (
        {"operator": Bitrix24UpsertItemsOperator, "entity_type_id": 4, "key": "originId"},
        {"method": "crm.timeline.comment.add"},
        {"entity_type_id": 4, "dry_run": True},
    ):
        failure = failure_of(**arguments, rows=[{"id": 1}], mapping={"originId": shape(text), "title": "$id"})
        assert f"mapping has {text!r}, in which ${{ is not followed by" in failure
        assert "write ${name}, or $${" in failure
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"title": "name"}, "name"),
        ({"title": "$name", "comments": "place"}, "place"),
        ({"title": "$name", "PHONE": [{"VALUE": "place", "VALUE_TYPE": "WORK"}]}, "place"),
        ({"title": "$name", "comments": "trade name"}, "trade name"),
    ],
)
@pytest.mark.parametrize("kind", ["list", "csv"])
def test_a_column_whose_dollar_sign_was_forgotten_is_refused(mapping, text, kind, portal, connection, tmp_path):
    rows = [{"id": 1, "name": "Oak", "place": "Ulm", "trade name": "O"}]
    (tmp_path / "rows.csv").write_text("id,name,place,trade name\n1,Oak,Ulm,O\n")
    given = {"operation": "update", "entity_type_id": "company", "mapping": mapping}
    operator = Bitrix24BulkWriteOperator(
        task_id="task", rows=rows if kind == "list" else str(tmp_path / "rows.csv"), **given
    )
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context())
    assert f"mapping has the text {text!r}, which is the name of a column" in str(caught.value)
    assert not portal.executed("crm.item.update")


@pytest.mark.parametrize(
    "mapping",
    [
        {"title": "$name", "utmSource": "WEB"},
        # A column that is named elsewhere was not forgotten: amounts of EUR, in euros.
        {"revenue": "$EUR", "currencyId": "EUR"},
        {"comments": "name: $name"},
    ],
)
def test_texts_that_are_the_same_in_every_row_are_written(mapping, portal, connection):
    rows = [{"id": 1, "name": "Oak", "EUR": 12}]
    given = {"operation": "update", "entity_type_id": "company", "mapping": mapping}
    summary = Bitrix24BulkWriteOperator(task_id="task", rows=rows, **given).execute(context())
    assert summary["written"] == 1


def test_a_placeholder_of_a_template_that_is_not_closed_is_refused_by_the_task(portal, connection):
    operator = Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id=4, rows=[{"id": 1}], mapping="{{ params.mapping }}", dry_run=True
    )
    operator.mapping = '{"originId": "${id"}'
    with pytest.raises(AirflowFailException, match=r"mapping has '\$\{id', in which"):
        operator.execute(context())
    assert portal.requests == 0


def test_a_brace_behind_a_dollar_sign_that_is_written_twice_is_sent(portal, connection):
    summary = write(entity_type_id=4, rows=[{"id": 1}], mapping={"title": "a $${b and $${id} $id"})
    assert summary["written"] == 1
    assert portal.items(4)[-1]["title"] == "a ${b and ${id} 1"


@pytest.mark.parametrize("text", ["$nmae", "K-$nmae", "${nmae}", "$name and $nmae", "$5 each"])
def test_a_column_that_there_is_not_fails_the_row(text, portal, connection):
    failure = failure_of(entity_type_id=4, rows=[{"name": "Oak"}], mapping={"title": text})
    assert "the row has no column" in failure
    assert "it has: name; a dollar sign is written $$" in failure


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2.0**60, "a float that cannot keep all digits"),
        (True, "cannot be part of a text"),
        (["x"], "cannot be part of a text"),
    ],
)
def test_a_value_that_has_no_form_in_a_text_fails_the_row(value, message, portal, connection):
    assert message in failure_of(entity_type_id=4, rows=[{"id": value}], mapping={"originId": "K-$id"})


def test_a_key_made_of_a_text_and_a_column_is_found_again(portal, connection):
    arguments = {"entity_type_id": 4, "key": "originId", "mapping": {"originId": "K-$id", "title": "$name"}}
    rows = [{"id": 1.0, "name": "Oak"}, {"id": 2, "name": "Elm"}]
    assert write(Bitrix24UpsertItemsOperator, rows=rows, **arguments)["created"] == 2
    assert write(Bitrix24UpsertItemsOperator, rows=rows, **arguments)["updated"] == 2
    failure = failure_of(operator=Bitrix24UpsertItemsOperator, rows=[{"id": None, "name": "x"}], **arguments)
    assert "no value for the key originId" in failure


# Databases


def test_a_query_with_two_columns_of_one_name_is_refused(database):
    with pytest.raises(ConfigurationError, match="the result of sql has the column 'id' more than once"):
        list(rows_of(None, "SELECT 1 AS id, 2 AS id", "firms"))


def test_rows_come_from_a_database_by_its_connection(database, portal, connection):
    database.execute("CREATE TABLE firms (name TEXT, size INTEGER)")
    database.executemany("INSERT INTO firms VALUES (?, ?)", [(f"Firm {n}", n) for n in range(3)])
    database.commit()
    summary = write(
        entity_type_id="company", sql="SELECT name FROM firms ORDER BY size", sql_conn_id="firms",
        mapping={"title": "$name"},
    )  # fmt: skip
    assert summary["written"] == 3
    assert [item["title"] for item in portal.items(4)[-3:]] == ["Firm 0", "Firm 1", "Firm 2"]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM firms", "UPDATE firms SET name = 'x'", "CREATE TABLE other (a TEXT)"]
)
def test_a_statement_that_changes_the_database_is_refused(statement, database, portal, connection):
    database.execute("CREATE TABLE firms (name TEXT)")
    database.execute("INSERT INTO firms VALUES ('Oak')")
    database.commit()
    failure = failure_of(entity_type_id="company", sql=statement, sql_conn_id="firms")
    assert f"sql has a statement that begins with {statement.split()[0]}, and a source" in failure
    assert database.execute("SELECT name FROM firms").fetchall() == [("Oak",)]


@pytest.mark.parametrize("statement", [" ", "\n", ["SELECT 1"], 5])
def test_what_is_not_a_query_is_refused_before_anything_is_sent(statement, database, portal, connection):
    failure = failure_of(entity_type_id="company", sql=statement, sql_conn_id="firms")
    assert "sql is " in failure
    assert portal.requests == 0
