"""
What a watcher remembers over restarts of the triggerer.

Airflow 3.3 gives a watcher the state stores of its assets, and each of them gets a copy: a watcher begins where the
asset is that is furthest behind. Before 3.3 it is kept in an Airflow variable. Ids and times, never a field's value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from asgiref.sync import sync_to_async

from airflow_provider_bitrix24._compat import Variable

State = dict[str, Any]


class StateStore(Protocol):
    """The state store of one asset, as Airflow 3.3 has it."""

    async def aget(self, key: str, default: Any = None) -> Any: ...

    async def aset(self, key: str, value: Any) -> None: ...


def stores_of(accessors: Any) -> list[StateStore]:
    """
    Return the state store of each asset that a trigger of Airflow 3.3 watches; none before 3.3.

    :param accessors: the trigger's ``asset_state_store``. Itself it serves a single asset only, and names none.
    """
    if accessors is None:
        return []
    each = [*getattr(accessors, "_by_name", {}).values(), *getattr(accessors, "_by_uri", {}).values()]
    return each or [accessors]


class Progress:
    """
    The memory of one watcher.

    :param name: of the variable, and of the key in the stores.
    :param stores: the state stores of the assets that are watched now.
    """

    def __init__(self, name: str, stores: Callable[[], Sequence[StateStore]]) -> None:
        self._name = name
        self._stores = stores

    async def load(self) -> list[State]:
        """Return what was remembered for each asset for which anything was."""
        stores = self._stores()
        found = [await store.aget(self._name) for store in stores] if stores else [await self._variable()]
        return [state for state in found if isinstance(state, dict)]

    async def save(self, state: State) -> None:
        """Remember it for all assets: an asset that was left out would be behind for ever."""
        stores = self._stores()
        for store in stores:
            await store.aset(self._name, state)
        if not stores:
            text = json.dumps(state, separators=(",", ":"))
            note = "How far a watcher of Bitrix24 is: replaced at each step, do not edit"
            await sync_to_async(Variable.set)(self._name, text, description=note)

    async def _variable(self) -> Any:
        text = await sync_to_async(Variable.get)(self._name, None)
        try:
            return json.loads(text) if text else None
        except ValueError:
            return None
