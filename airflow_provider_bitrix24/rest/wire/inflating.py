"""The body of an answer, decompressed under a limit: a few kilobytes may stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP_WINDOW, _RAW_WINDOW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS
#: Most bytes that one step makes.
_STEP_BYTES = 1024 * 1024


class NotAskedFor(Exception):
    """The body is encoded in a way that was not asked for: more than once, or by another method."""


def inflated(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """
    Yield the body as it was before it was compressed, at most a mebibyte at a time.

    :param encoding: the header ``Content-Encoding``.
    :raises NotAskedFor: it is neither gzip nor deflate.
    :raises ValueError: the body is not compressed in this way, or is cut off.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise NotAskedFor
    try:
        yield from _inflated(chunks, is_gzip=encoding != "deflate")
    except zlib.error as error:
        raise ValueError("the body is not compressed as its header says") from error


def _inflated(chunks: Iterable[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    stream, begun = None, False
    for chunk in chunks:
        data = chunk
        while data:
            if stream is None:
                if begun and not is_gzip:
                    return
                stream, begun = zlib.decompressobj(_window(data, is_gzip=is_gzip)), True
            yield stream.decompress(data, _STEP_BYTES)
            # A gzip file may have several members; zeros after the last one only fill it up.
            data = stream.unused_data.lstrip(b"\0") if stream.eof else stream.unconsumed_tail
            if stream.eof:
                stream = None
    if stream is not None:
        yield stream.flush()
        if not stream.eof:
            raise ValueError("the body is cut off")


def _window(data: bytes, *, is_gzip: bool) -> int:
    if is_gzip:
        return _GZIP_WINDOW
    # Some servers send "deflate" without the head of zlib, whose first byte names the method 8.
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 else _RAW_WINDOW
