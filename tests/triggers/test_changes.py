"""Items found by their time of modification: every change at least once, in the portal's clock, with any connection."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.triggers.changed_items import OVERLAP_SECONDS, SETTLE_SECONDS, ChangedItems
from airflow_provider_bitrix24.triggers.changes import Bitrix24ChangesTrigger
from airflow_provider_bitrix24.triggers.progress import Progress
from airflow_provider_bitrix24.triggers.watcher import STORE_SECONDS
from tests.triggers.triggerers import HAS_STREAMS, Asset, Store

DEALS = Bitrix24ChangesTrigger(entity_type_id=2)


@pytest.fixture
def begun(running, naps):
    """``async with begun((trigger, [asset])) as triggerer``: watchers that have looked once."""

    def begin(*watched):
        return _Begun(running(*watched), naps)

    return begin


class _Begun:
    def __init__(self, running, naps):
        self._running, self._naps = running, naps

    async def __aenter__(self):
        triggerer = await self._running.__aenter__()
        before = self._naps.taken.count(60.0)
        await triggerer.until(lambda: self._naps.taken.count(60.0) > before)
        return triggerer

    async def __aexit__(self, *error):
        await self._running.__aexit__(*error)


def test_changed_and_new_items_fire_with_id_object_and_time_and_nothing_of_before(portal, connection, change, begun):
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            await asyncio.to_thread(change, [3, 5])
            await triggerer.until(lambda: len(asset.payloads) == 2)

    asyncio.run(watch())
    assert asset.objects == {3, 5}
    for payload in asset.payloads:
        assert payload["id"] == f"2:{payload['object_id']}@{payload['time']}"
        assert (payload["event"], payload["entity_type_id"], payload["redelivered"]) == ("CHANGED", 2, False)
    ours = {call.method for call in portal.calls} - {"batch", "crm.item.update"}
    assert ours == {"crm.item.list", "server.time"}


def test_a_change_is_seen_once_though_the_list_is_read_again_from_before_it(portal, connection, change, begun, naps):
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            await asyncio.to_thread(change, [3])
            looks = naps.taken.count(60.0) + 5
            await triggerer.until(lambda: naps.taken.count(60.0) > looks)

    asyncio.run(watch())
    assert len(asset.payloads) == 1


def test_a_change_that_becomes_visible_late_is_seen(portal, connection, change, begun, naps):
    """Its time is older than what has been read by then."""
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            looks = naps.taken.count(60.0) + 2
            await triggerer.until(lambda: naps.taken.count(60.0) > looks)
            late = portal.clock.iso(portal.clock.now() - OVERLAP_SECONDS + 40)
            (deal,) = portal.add_deals(1, updatedTime=late)
            await triggerer.until(lambda: asset.objects == {deal})

    asyncio.run(watch())


def test_a_second_change_within_the_same_second_is_not_taken_for_the_first(portal, connection):
    """The portal's times have whole seconds, so an item is not read before its second is over."""
    stores, found = [Store()], []
    source = ChangedItems("bitrix24_default", 2, {}, Progress("progress", lambda: stores))

    async def look():
        assert await source.take() == []
        portal.add_deals(1, updatedTime=portal.clock.iso())
        found.append(await source.take())
        portal.clock.advance(SETTLE_SECONDS + 1)
        found.append(await source.take())
        await source.forget_client()

    asyncio.run(look())
    assert [len(changes) for changes in found] == [0, 1]


def test_the_time_holds_beside_every_alternative_of_the_filter(portal, connection):
    either = {"logic": "OR", "0": {"id": 7}, "1": {"id": 8}}
    stores, found = [Store()], []
    source = ChangedItems("bitrix24_default", 2, either, Progress("progress", lambda: stores))

    async def look():
        assert await source.take() == []
        for deal in (8, 9):
            params = {"entityTypeId": 2, "id": deal, "fields": {"title": "Changed"}}
            await asyncio.to_thread(Bitrix24Hook().call, "crm.item.update", params)
        portal.clock.advance(SETTLE_SECONDS + 1)
        found.extend(await source.take())
        await source.forget_client()

    asyncio.run(look())
    assert len(found) == 1
    assert portal.calls[-1].params["filter"]["0"] == either


def test_after_a_restart_it_goes_on_where_it_was(portal, connection, change, running, begun):
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            await asyncio.to_thread(change, [1])
            await triggerer.until(lambda: asset.objects == {1})
            await triggerer.until(lambda: remembers(asset, 1))
        portal.clock.advance(3600)
        await asyncio.to_thread(change, [2])
        portal.clock.advance(3600)
        async with running((DEALS, [asset])) as triggerer:
            await triggerer.until(lambda: 2 in asset.objects)

    asyncio.run(watch())
    assert [payload["object_id"] for payload in asset.payloads] == [1, 2]


def remembers(asset, item):
    """Whether the item is known as delivered."""
    from airflow.models.variable import Variable

    states = list(asset.store.values.values()) or [json.loads(Variable.get("bitrix24_changes__bitrix24_default__2"))]
    return any(item in items for state in states for items in state["known"].values())


def test_what_was_not_confirmed_when_the_triggerer_died_comes_again_under_the_same_id(
    portal, connection, change, running, begun, naps
):
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            naps.endless.add(STORE_SECONDS)
            triggerer.confirms = False
            await asyncio.to_thread(change, [7])
            await triggerer.until(lambda: bool(asset.payloads))
        naps.endless.clear()
        async with running((DEALS, [asset])) as triggerer:
            await triggerer.until(lambda: len(asset.payloads) == 2)

    asyncio.run(watch())
    first, second = asset.payloads
    assert second == {**first, "redelivered": True}


@pytest.mark.skipif(not HAS_STREAMS, reason="assets have state stores from Airflow 3.3 on")
def test_it_begins_where_the_asset_is_that_is_furthest_behind(portal, connection, change, running, begun):
    first, second = Asset(), Asset()

    async def watch():
        async with begun((DEALS, [first, second])) as triggerer:
            (name,) = second.store.values
            before = second.store.values[name]
            for deal in (1, 2):
                portal.clock.advance(3600)
                await asyncio.to_thread(change, [deal])
                await triggerer.until(lambda deal=deal: deal in second.objects and remembers(second, deal))
        second.store.values[name] = before
        async with running((DEALS, [first, second])) as triggerer:
            await triggerer.until(lambda: len(second.payloads) == 4)
            await triggerer.until(lambda: first.store.values == second.store.values)
            await asyncio.sleep(0.1)

    asyncio.run(watch())
    # Once, not for ever.
    assert [payload["object_id"] for payload in second.payloads] == [1, 2, 1, 2]
    assert second.payloads[2]["redelivered"] is True


@pytest.mark.parametrize("death", range(3))
def test_a_thousand_changes_and_a_triggerer_that_dies_at_any_moment(portal, connection, change, running, begun, death):
    asset, chance = Asset(), random.Random(death)
    portal.add_deals(970, updatedTime=portal.clock.iso(portal.clock.now() - 9999))

    async def watch():
        async with begun((DEALS, [asset])):
            pass
        await asyncio.to_thread(change, range(1, 1001))
        portal.clock.advance(5)
        async with running((DEALS, [asset])) as triggerer:
            wanted = chance.randrange(1000)
            await triggerer.until(lambda: len(asset.payloads) >= wanted)
            await asyncio.sleep(chance.random() / 20)
        async with running((DEALS, [asset])) as triggerer:
            await triggerer.until(lambda: len(asset.objects) == 1000)

    asyncio.run(watch())
    assert len(set(asset.ids)) == 1000


def test_a_filter_narrows_what_is_watched(portal, connection, change, begun):
    won, every = Asset(), Asset()
    only_won = Bitrix24ChangesTrigger(2, item_filter={"=stageId": "WON"})

    async def watch():
        async with begun((only_won, [won]), (DEALS, [every])) as triggerer:
            await asyncio.to_thread(change, [1], stageId="NEW")
            await asyncio.to_thread(change, [2], stageId="WON")
            await triggerer.until(lambda: every.objects == {1, 2} and bool(won.payloads))

    asyncio.run(watch())
    assert won.objects == {2}


def test_a_clock_here_that_is_wrong_changes_nothing(portal, connection, change, begun):
    """Only the portal's clock counts: it is a week ahead."""
    asset = Asset()
    portal.clock.advance(7 * 24 * 3600)

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            await asyncio.to_thread(change, [3])
            await triggerer.until(lambda: asset.objects == {3})

    asyncio.run(watch())


def test_a_time_in_the_future_does_not_hide_what_changes_now(portal, connection, change, begun):
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])) as triggerer:
            (ahead,) = portal.add_deals(1, updatedTime="2040-01-01T00:00:00+03:00")
            await triggerer.until(lambda: ahead in asset.objects)
            await asyncio.to_thread(change, [3])
            await triggerer.until(lambda: 3 in asset.objects)

    asyncio.run(watch())
    assert len(asset.payloads) == 2


def test_a_filter_that_the_portal_refuses_is_explained(portal, connection, running):
    wrong = Bitrix24ChangesTrigger(2, item_filter={"=noSuchField": 1})

    async def watch():
        async with running((wrong, [Asset()])) as triggerer:
            await triggerer.until(lambda: False)

    with pytest.raises(Bitrix24Error, match=r"crm\.item\.list"):
        asyncio.run(watch())


def test_a_trigger_is_made_again_from_its_row_which_holds_names_only():
    path, arguments = Bitrix24ChangesTrigger(2, {"categoryId": 3}, "portal", 90).serialize()
    assert path == "airflow_provider_bitrix24.triggers.changes.Bitrix24ChangesTrigger"
    assert json.loads(json.dumps(arguments)) == arguments
    assert Bitrix24ChangesTrigger(**arguments).serialize() == (path, arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"entity_type_id": 5}, "entity_type_id is 5, which is not a kind of CRM item"),
        ({"entity_type_id": 0}, "entity_type_id is 0"),
        ({"entity_type_id": True}, "entity_type_id is True"),
        ({"entity_type_id": "dael"}, "entity_type_id is 'dael'.*did you mean deal"),
        ({"entity_type_id": None}, "entity_type_id is None"),
        ({"item_filter": "categoryId"}, "item_filter must be a dict"),
        ({"item_filter": {"=stageId": None}}, "'=stageId' in item_filter is None"),
        ({"item_filter": {"@stageId": []}}, "'@stageId' in item_filter is an empty list"),
        ({"item_filter": {"0": {"logic": "OR", "0": {"@id": []}}}}, "'@id' in item_filter is an empty list"),
        ({"item_filter": {">=opportunity": ""}}, "'>=opportunity' in item_filter"),
        ({"item_filter": {"=>id": 5}}, "did you mean >="),
        ({"bitrix24_conn_id": ""}, "bitrix24_conn_id is ''"),
        ({"bitrix24_conn_id": None}, "bitrix24_conn_id is None"),
        ({"bitrix24_conn_id": "None"}, "bitrix24_conn_id is 'None'"),
    ],
)
def test_arguments_that_cannot_be_are_refused_when_the_dag_is_parsed(wrong, message):
    with pytest.raises(ConfigurationError, match=f"(?i){message}"):
        Bitrix24ChangesTrigger(**{"entity_type_id": 2, **wrong})


@pytest.mark.parametrize("kind", ["deal", "Deals", "2", " 2 ", 2])
def test_the_kind_may_be_a_word_as_in_operators(kind):
    assert Bitrix24ChangesTrigger(kind).serialize() == Bitrix24ChangesTrigger(2).serialize()


@pytest.mark.parametrize("seconds", [3, 60, 100, 119])
def test_a_change_of_before_it_began_is_not_seen_not_even_after_a_restart(
    portal, connection, change, running, begun, seconds
):
    change([3])
    portal.clock.advance(seconds)
    asset = Asset()

    async def watch():
        async with begun((DEALS, [asset])):
            pass
        async with begun((DEALS, [asset])) as triggerer:
            await asyncio.to_thread(change, [5])
            await triggerer.until(lambda: 5 in asset.objects)

    asyncio.run(watch())
    assert asset.objects == {5}
