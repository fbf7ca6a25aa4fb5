"""
The operator for bulk writes, in a process of its own: ``python -m bench.bulk_write``, more in JSON on standard input.

It prints what it measured as the last line, in JSON.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.postgres import PostgresServer
from bench.subject import memory_kib

#: Where rows come from.
SOURCES = ("CSV", "Parquet", "PostgreSQL")
#: Rows written before anything is measured: they import what is imported when it is used.
WARM_UP = 100
COLUMNS = ("id", "title", "comments")


def rows(number: int, size: int = 192) -> Iterator[tuple[int, str, str]]:
    """
    Rows that compression makes little smaller.

    :param size: characters of a row's text.
    """
    for index in range(number):
        yield index, f"Firm {index}", _text(index) * (size // 32)


def _text(number: int) -> str:
    """As ``md5()`` of PostgreSQL."""
    return md5(str(number).encode(), usedforsecurity=False).hexdigest()


@contextmanager
def source(
    kind: str, number: int, directory: Path, size: int = 192
) -> Iterator[tuple[list[dict[str, Any]], dict[str, str]]]:
    """
    A source of so many rows.

    :param kind: one of :data:`SOURCES`.
    :return: the operator's arguments for a few of them and for all, and variables of the environment.
    """
    if kind == "PostgreSQL":
        with PostgresServer() as server:
            server.execute(
                "CREATE TABLE firms AS SELECT id, 'Firm ' || id AS title,"
                f" repeat(md5(id::text), {size // 32}) AS comments FROM generate_series(0, {number - 1}) AS id"
            )
            queries = [f"SELECT * FROM firms ORDER BY id LIMIT {most}" for most in (WARM_UP, number)]
            connection = {"AIRFLOW_CONN_BENCH_FIRMS": server.connection_json()}
            yield [{"sql": query, "sql_conn_id": "bench_firms"} for query in queries], connection
    else:
        write = _write_csv if kind == "CSV" else _write_parquet
        files = [directory / f"{most}.{kind.lower()}" for most in (WARM_UP, number)]
        for file, most in zip(files, (WARM_UP, number), strict=True):
            write(file, rows(most, size))
        yield [{"rows": str(file)} for file in files], {}


def _write_csv(file: Path, several: Iterable[Sequence[Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(several)


def _write_parquet(file: Path, several: Iterable[Sequence[Any]]) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    columns = zip(*several, strict=True)
    write_table(pyarrow.table(dict(zip(COLUMNS, map(list, columns), strict=True))), file)


def main() -> None:
    from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator

    asked = json.load(sys.stdin)

    def write(**arguments: Any) -> Any:
        operator = Bitrix24BulkWriteOperator(
            task_id="write", entity_type_id=4, mapping={"title": "$title", "comments": "$comments"}, **arguments
        )
        ti = SimpleNamespace(
            try_number=1, max_tries=0, dag_id="d", run_id="r", task_id="write", map_index=-1,
            xcom_push=lambda **options: None,
        )  # fmt: skip
        return operator.execute({"ti": ti, "task": SimpleNamespace(retries=0)})

    few, many = asked["sources"]
    write(**few)
    memory, began, cpu_began = memory_kib("VmRSS"), time.perf_counter(), time.process_time()
    written = write(**many)["written"]
    if written != asked["rows"]:
        sys.exit(f"This did not hold: all {asked['rows']} rows were written")
    measured = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "growth_mib": (memory_kib("VmHWM") - memory) / 1024,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
