"""Files that hold something else than a table, whatever their name says: seen from how they begin."""

from __future__ import annotations

import re

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: Bytes that are looked at.
HEAD = 512
_BY_FIRST_BYTES = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"PK\x05\x06", "a ZIP archive without files"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook or another file of Office"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh91AY", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"PAR1\x15", "Parquet"),
)
#: Bytes before text of two bytes to a character: what its encoding is, is said where it is decoded.
_WIDE = (b"\xff\xfe", b"\xfe\xff")
#: A page, also of a login or of an error. Names of columns may be in angle brackets, ``<DATE>``.
_PAGE = re.compile(
    r"<(!doctype|!--|\?xml|(html|head|body|meta|script|style|table|div|form|p|pre|h[1-6]|center|error)[\s/>])",
    re.IGNORECASE,
)
_JSON_OBJECT = re.compile(r'\{\s*(["}]|$)')
_JSON_ARRAY = re.compile(r'\[\s*([{"\[\]]|$)')
_NAMES = {".csv": "CSV", ".parquet": "Parquet"}


def check_looks(head: bytes, name: str, kind: str, encoding: str = "utf-8") -> None:
    """
    Refuse a file that is surely of another kind than its name says.

    :param head: how it begins; empty for an empty file.
    :param kind: the ending of its name, ``.csv``.
    :raises ConfigurationError: it is an archive, a page, JSON or the like.
    """
    if what := _looks_like(head[:HEAD], kind, encoding):
        raise ConfigurationError(f"{name} is not {_NAMES.get(kind, 'JSON lines')}, but {what[0]}", next_step=what[1])


def _looks_like(head: bytes, kind: str, encoding: str) -> tuple[str, str] | None:
    """What it is, and what to do; None where it may be what it is called."""
    for first, what in _BY_FIRST_BYTES:
        if head.startswith(first) and not (kind == ".parquet" and what == "Parquet"):
            return what, "unpack it, or save the table in the form that its name says"
    if head.startswith(_WIDE):
        return None
    # A character may be cut off at the end.
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff").lstrip()
    if _PAGE.match(text):
        return (
            "a page of HTML or XML",
            "look at it in an editor: a download answers so where it needs a login, or has failed",
        )
    if kind != ".jsonl" and _JSON_OBJECT.match(text):
        return "JSON", "write one object to a line and name it .jsonl, if these are the rows; it may be an error too"
    if _JSON_ARRAY.match(text):
        return "a JSON array", "write one object to a line, without brackets around them, and name it .jsonl"
    if kind != ".parquet" and "\0" in text.partition("\n")[0]:
        return (
            "bytes that are not text",
            'write it as text in UTF-8; a CSV file in UTF-16 is read with csv={"encoding": "utf-16"}',
        )
    return None
