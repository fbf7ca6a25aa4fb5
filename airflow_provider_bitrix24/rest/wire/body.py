"""The body of an answer: what is large has memory of its own, and gives it back when nobody needs it any more."""

from __future__ import annotations

import mmap

#: A larger body is mapped, first with this much room: pages that nothing is written to take no memory.
_MAPPED_FROM, _ROOM = 128 * 1024, 4 * 1024 * 1024
#: So many maps are kept for the next answers: a new one is filled with zeros before anything is written to it.
_MOST_SPARE = 2


class Body:
    """
    Bytes that arrive one piece after the other.

    The C library has a heap for each of several threads, and what they free stays with the process: twenty threads that
    take answers of megabytes would hold several times as much as is in use.

    :param spare: maps of bodies that are gone, for the next ones.
    """

    def __init__(self, spare: list[mmap.mmap]) -> None:
        self._spare = spare
        self._small = bytearray()
        self._mapped: mmap.mmap | None = None
        self.size = 0

    def add(self, piece: bytes) -> None:
        end = self.size + len(piece)
        if self._mapped is None and end <= _MAPPED_FROM:
            self._small += piece
        else:
            mapped = self._with_room_for(end)
            mapped[self.size : end] = piece
        self.size = end

    def to_bytes(self) -> bytes:
        return bytes(self._small) if self._mapped is None else self._mapped[: self.size]

    def _with_room_for(self, size: int) -> mmap.mmap:
        mapped = self._mapped
        if mapped is not None and size <= len(mapped):
            return mapped
        room = _ROOM
        while room < size:
            room *= 4
        self._mapped = self._spare_map(room) or mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._mapped[: self.size] = self._small if mapped is None else mapped[: self.size]
        self._small = bytearray()
        return self._mapped

    def _spare_map(self, room: int) -> mmap.mmap | None:
        try:
            return self._spare.pop() if room == _ROOM else None
        except IndexError:
            return None

    def __del__(self) -> None:
        if self._mapped is not None and len(self._mapped) == _ROOM and len(self._spare) < _MOST_SPARE:
            self._spare.append(self._mapped)
