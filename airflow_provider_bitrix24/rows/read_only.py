"""
Queries that only read: a statement that changes the database is not sent, and what a query changes inside is refused.

Nothing may be left to a rollback. MySQL and Oracle commit the creation, change and removal of tables at once, Python's
``sqlite3`` opens no transaction for them, and a connection may commit every statement.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: Words that a statement begins with which changes data, tables, rights or transactions, in the databases that Airflow
#: has providers for.
_CHANGES = frozenset(
    (
        "alter", "analyze", "attach", "backup", "begin", "cluster", "comment", "commit", "copy", "create", "delete",
        "deny", "detach", "do", "drop", "export", "grant", "import", "insert", "install", "kill", "load", "lock",
        "merge", "move", "optimize", "purge", "put", "refresh", "reindex", "release", "remove", "rename", "replace",
        "restore", "revoke", "rollback", "savepoint", "start", "truncate", "undrop", "unload", "unlock", "update",
        "upsert", "vacuum",
    )
)  # fmt: skip
#: What a query with ``WITH`` changes is named behind its tables.
_CHANGES_BEHIND_WITH = frozenset({"delete", "insert", "merge", "update"})
_READS_BEHIND_WITH = frozenset({"select", "values", "table", "from"})
#: Comments, texts and quoted names, in which words mean nothing; then what a statement is made of.
_TOKEN = re.compile(
    r"--[^\n]*|\#[^\n]*|/\*.*?\*/"
    r"|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|(?P<tag>\$\w*\$).*?(?P=tag)"
    r"|(?P<sign>[;()])|(?P<word>\w+)",
    re.DOTALL,
)
_NEXT_STEP = "write a query that only reads; to change the database, use an operator for SQL"
#: MySQL's ``ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION``, and PostgreSQL's ``read_only_sql_transaction``.
_MYSQL_CODE, _POSTGRES_CLASS = 1792, "ReadOnlySqlTransaction"
_SQLITE_WORDS = "attempt to write a readonly database"


def check_reads(sql: str) -> None:
    """
    :raises ConfigurationError: a statement in it is one that changes the database.
    """
    depth, first, is_open = 0, "", True
    for token in _TOKEN.finditer(sql):
        word, sign = (token["word"] or "").lower(), token["sign"]
        if sign == ";":
            depth, first, is_open = 0, "", True
        elif sign:
            depth += 1 if sign == "(" else -1
        elif not word:
            continue
        elif not first:
            first = word
            if word in _CHANGES:
                raise _changes(f"has a statement that begins with {word.upper()}")
        elif depth <= 0 and first == "with" and is_open:
            is_open = word not in _READS_BEHIND_WITH
            if word in _CHANGES_BEHIND_WITH:
                raise _changes(f"has {word.upper()} behind WITH")
        elif depth <= 0 and word == "into":
            raise _changes("has INTO, which writes the result elsewhere")


def _changes(what: str) -> ConfigurationError:
    return ConfigurationError(f"sql {what}, and a source of rows must not change the database", next_step=_NEXT_STEP)


def only_read(connection: Any, driver: str) -> None:
    """
    Have the database refuse changes, where it can: SQLite, PostgreSQL and MySQL.

    What speaks their protocol and does not know the statement is read as it is.

    :param driver: the package of the connection.
    """
    if driver == "sqlite3":
        statement = "PRAGMA query_only = ON"
    elif driver in ("psycopg2", "psycopg"):
        whole = "SESSION CHARACTERISTICS AS TRANSACTION" if connection.autocommit else "TRANSACTION"
        statement = f"SET {whole} READ ONLY"
    elif driver in ("pymysql", "MySQLdb", "mysql"):
        statement = "START TRANSACTION READ ONLY"
    else:
        return
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    except Exception:
        # In PostgreSQL, a transaction takes nothing more after an error. One of the connection comes again.
        connection.rollback()
    finally:
        cursor.close()


def refused_change(error: BaseException, words: str) -> ConfigurationError | None:
    """
    :param words: those of the database.
    :return: what to raise where ``error`` says that :func:`only_read` has kept a query from changing something.
    """
    arguments = getattr(error, "args", ())
    is_change = (
        type(error).__name__ == _POSTGRES_CLASS or (arguments and arguments[0] == _MYSQL_CODE) or _SQLITE_WORDS in words
    )
    if not is_change:
        return None
    return ConfigurationError(
        f"sql would change the database, and a source of rows only reads ({words})", next_step=_NEXT_STEP
    )
