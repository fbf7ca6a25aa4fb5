"""A portal as it was: many tests share one, and none sees what another has done."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.state.applications import Application
from airflow_provider_bitrix24.sandbox.state.core import PortalCore
from airflow_provider_bitrix24.sandbox.state.event_delivery import Delivery
from airflow_provider_bitrix24.sandbox.state.events import Events
from airflow_provider_bitrix24.sandbox.state.files import Files
from airflow_provider_bitrix24.sandbox.state.store import Table


class Snapshot:
    """
    What a portal holds at this moment: its objects, its people, its bindings and queues.

    Parts that did not change are left alone, as most are after a call: copying all of it takes longer than the call.
    """

    def __init__(self, portal: Sandbox) -> None:
        self._state = portal._state
        self._kept: list[Any] = []
        # What follows from the portal's own fields is made again when it is asked for.
        self._state.store._kinds.clear()
        self._saved = {name: self._dumped(part) for name, part in self._parts().items()}
        self._pristine = {name: _plain(self._loaded(saved)) for name, saved in self._saved.items()}

    def changed(self) -> dict[str, Any]:
        """The parts that are no longer as they were, as plain values."""
        now = {name: _plain(part) for name, part in self._parts().items()}
        return {name: part for name, part in now.items() if part != self._pristine[name]}

    def restore(self, changed: Iterable[str] | None = None) -> None:
        """Bring back what has changed, or the parts of which that is known."""
        for name in self.changed() if changed is None else changed:
            part = self._loaded(self._saved[name])
            if name == "users":
                self._restore_users(part)
            elif name == "events":
                vars(self._state.events).update(vars(part))
            else:
                setattr(self._state.store, name, part)
        self._state.store._kinds.clear()

    def _parts(self) -> dict[str, Any]:
        store = {name: part for name, part in vars(self._state.store).items() if name != "_kinds"}
        return {**store, "users": self._state.users, "events": self._state.events}

    def _restore_users(self, users: dict[int, Any]) -> None:
        """In place: tests hold the people of their portal."""
        for user_id in self._state.users.keys() - users.keys():
            del self._state.users[user_id]
        for user_id, user in users.items():
            own = self._state.users.setdefault(user_id, user)
            for name in user.__slots__:
                setattr(own, name, getattr(user, name))

    def _dumped(self, part: Any) -> bytes:
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer)
        pickler.persistent_id = self._reference  # type: ignore[method-assign]
        pickler.dump(part)
        return buffer.getvalue()

    def _loaded(self, saved: bytes) -> Any:
        unpickler = pickle.Unpickler(io.BytesIO(saved))
        unpickler.persistent_load = self._kept.__getitem__  # type: ignore[method-assign, assignment]
        return unpickler.load()

    def _reference(self, value: Any) -> int | None:
        """The place of what stays as it is: the portal itself, applications with their tokens, a thread."""
        if not isinstance(value, (PortalCore, Application, Delivery)):
            return None
        self._kept.append(value)
        return len(self._kept) - 1


def _plain(part: Any) -> Any:
    """What can be compared with ``==``, and is the same text whenever it is the same."""
    if isinstance(part, Table):
        return [part.rows, part.ids, part._next_id]
    if isinstance(part, (Files, Events)):
        part = vars(part)
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items()}
    return sorted(part) if isinstance(part, set) else part
