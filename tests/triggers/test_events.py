"""The offline queue as a watcher sees it: each change at least once and none lost, whenever the triggerer dies."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.triggers.change_loop import HELPLESS_SECONDS
from airflow_provider_bitrix24.triggers.events import Bitrix24EventTrigger
from airflow_provider_bitrix24.triggers.offline_queue import OfflineQueue
from airflow_provider_bitrix24.triggers.progress import Progress
from airflow_provider_bitrix24.triggers.watcher import STORE_SECONDS
from tests.triggers.triggerers import HAS_STREAMS, Asset

UPDATES = Bitrix24EventTrigger(["ONCRMDEALUPDATE"])


def rows_of(portal):
    return list(portal._state.events.queue)


def bound(portal):
    return [binding.event for binding in portal._state.events.bindings]


async def until_bound(triggerer, portal, count=1):
    await triggerer.until(lambda: len(bound(portal)) >= count)


def test_each_change_fires_with_id_event_object_and_time_and_is_cleared(portal, app, change, running):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            await asyncio.to_thread(change, [3, 5])
            await triggerer.until(lambda: len(asset.payloads) == 2 and not rows_of(portal))

    asyncio.run(watch())
    assert asset.objects == {3, 5}
    for payload in asset.payloads:
        number, _, time = payload["id"].partition("@")
        assert number.isdigit()
        assert time == payload["time"]
        assert time.endswith("Z")
        assert (payload["event"], payload["redelivered"]) == ("ONCRMDEALUPDATE", False)
        assert set(payload) == {"id", "event", "object_id", "time", "redelivered", "bitrix24_conn_id"}
    assert bound(portal) == ["ONCRMDEALUPDATE"]


def test_events_that_are_bound_are_not_bound_again(portal, app, change, running):
    asset = Asset()

    async def watch():
        for deal in (1, 2):
            async with running((UPDATES, [asset])) as triggerer:
                await until_bound(triggerer, portal)
                await asyncio.to_thread(change, [deal])
                await triggerer.until(lambda deal=deal: deal in asset.objects and not rows_of(portal))

    asyncio.run(watch())
    assert portal.executed("event.bind") == 1


def test_the_only_writes_are_bind_and_clear(portal, app, change, running):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            await asyncio.to_thread(change, [1])
            await triggerer.until(lambda: asset.payloads and not rows_of(portal))

    asyncio.run(watch())
    ours = {call.method for call in portal.calls} - {"batch", "crm.item.update"}
    assert ours == {
        *("event.get", "event.bind"),
        *("event.offline.list", "event.offline.get", "event.offline.clear"),
    }


def test_what_airflow_had_not_confirmed_when_the_triggerer_died_comes_again_under_the_same_id(
    portal, app, change, running, naps
):
    asset = Asset()

    async def watch():
        naps.endless.add(STORE_SECONDS)
        async with running((UPDATES, [asset])) as triggerer:
            triggerer.confirms = False
            await until_bound(triggerer, portal)
            await asyncio.to_thread(change, [7])
            await triggerer.until(lambda: bool(asset.payloads))
        assert len(rows_of(portal)) == 1
        naps.endless.clear()
        async with running((UPDATES, [asset])) as triggerer:
            await triggerer.until(lambda: len(asset.payloads) == 2 and not rows_of(portal))

    asyncio.run(watch())
    first, second = asset.payloads
    assert second == {**first, "redelivered": True}


def test_what_airflow_had_confirmed_does_not_come_again_though_it_could_not_be_cleared(portal, app, change, running):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            fault = portal.fault("error", "event.offline.clear", times=None, code="ERROR_CORE", status=400)
            await asyncio.to_thread(change, [7])
            await triggerer.until(lambda: fault.hits > 0)
        assert len(rows_of(portal)) == 1
        portal.clear_faults()
        async with running((UPDATES, [asset])) as triggerer:
            await triggerer.until(lambda: not rows_of(portal))
            await asyncio.to_thread(change, [8])
            await triggerer.until(lambda: 8 in asset.objects)

    asyncio.run(watch())
    assert [payload["object_id"] for payload in asset.payloads] == [7, 8]


@pytest.mark.skipif(not HAS_STREAMS, reason="assets have state stores from Airflow 3.3 on")
def test_the_process_id_is_remembered_before_a_row_is_handed_over(portal, app, change, running, naps):
    """Where it cannot be, nothing is handed over; the rows are not lost for that."""
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            asset.store.broken = True
            await asyncio.to_thread(change, [7])
            await triggerer.until(lambda: any(row["PROCESS_ID"] for row in rows_of(portal)))
            await triggerer.until(lambda: naps.taken.count(5.0) > 0)
            assert asset.payloads == []
            asset.store.broken = False
            await triggerer.until(lambda: asset.objects == {7} and not rows_of(portal))

    asyncio.run(watch())
    assert len(asset.payloads) == 1


def test_rows_that_nobody_remembers_are_taken_over_when_they_have_not_moved_for_ten_minutes(
    portal, app, change, running
):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
        await asyncio.to_thread(change, [4, 6])
        # Somebody reserved them and died.
        for row in rows_of(portal):
            portal._state.events.reserve(row, "x" * 32)
        async with running((UPDATES, [asset])) as triggerer:
            await triggerer.until(lambda: asset.objects == {4, 6} and not rows_of(portal))

    asyncio.run(watch())
    assert [payload["redelivered"] for payload in asset.payloads] == [True, True]


def test_rows_whose_reservation_got_a_lost_answer_are_found_at_once(portal, app, change, running, naps):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            portal.fault("reset_after", "event.offline.get")
            await asyncio.to_thread(change, [9])
            await triggerer.until(lambda: asset.objects == {9} and not rows_of(portal))

    asyncio.run(watch())
    assert sum(naps.taken) < 300


def test_events_of_one_queue_are_read_by_one_loop_for_all_triggers(portal, app, change, running, monkeypatch):
    both, updates, deleted = Asset(), Asset(), Asset()
    watched = [
        (Bitrix24EventTrigger(["ONCRMDEALUPDATE", "ONCRMDEALDELETE"]), [both]),
        (UPDATES, [updates]),
        (Bitrix24EventTrigger(["ONCRMDEALDELETE"]), [deleted]),
    ]

    async def watch():
        async with running(*watched) as triggerer:
            await until_bound(triggerer, portal, 2)
            await asyncio.to_thread(change, [1, 2, 3])
            await triggerer.until(lambda: len(both.payloads) == len(updates.payloads) == 3 and not rows_of(portal))

    if HAS_STREAMS:
        asyncio.run(watch())
        assert sorted(both.ids) == sorted(updates.ids)
        assert deleted.payloads == []
    else:
        # Two of them would take the events from each other.
        with pytest.raises(ConfigurationError, match="another trigger reads the same events"):
            asyncio.run(watch())


def test_two_assets_of_one_trigger_each_get_every_event_and_end_behind_none(portal, app, change, running):
    """A cursor that is kept for one asset only would leave the other behind for ever."""
    first, second = Asset(), Asset()

    async def watch():
        for deals in ({1, 2}, {3}):
            async with running((UPDATES, [first, second])) as triggerer:
                await until_bound(triggerer, portal)
                await asyncio.to_thread(change, deals)
                await triggerer.until(lambda deals=deals: not rows_of(portal) and deals <= first.objects)

    asyncio.run(watch())
    assert first.ids == second.ids
    assert len(first.ids) == len(set(first.ids)) == 3
    if HAS_STREAMS:
        assert first.store.values == second.store.values
        assert len(first.store.values) == 1


@pytest.mark.skipif(not HAS_STREAMS, reason="assets have state stores from Airflow 3.3 on")
def test_rows_are_done_only_when_every_asset_has_them(portal, app, change, running):
    first, second = Asset(), Asset()

    async def watch():
        async with running((UPDATES, [first, second])) as triggerer:
            await until_bound(triggerer, portal)
            fault = portal.fault("error", "event.offline.clear", times=None, code="ERROR_CORE", status=400)
            await asyncio.to_thread(change, [7])
            await triggerer.until(lambda: fault.hits > 0)
        # The second asset was restored from a backup.
        (name,) = second.store.values
        second.store.values[name] = {**second.store.values[name], "done": []}
        portal.clear_faults()
        async with running((UPDATES, [first, second])) as triggerer:
            await triggerer.until(lambda: len(second.payloads) == 2 and not rows_of(portal))

    asyncio.run(watch())
    assert second.payloads[1]["redelivered"] is True


@pytest.mark.skipif(not HAS_STREAMS, reason="Airflow shares streams from 3.3 on")
def test_events_of_a_trigger_that_left_wait_for_its_return(portal, app, change, running):
    """Its DAG was paused while they were on their way; the other trigger's stream goes on."""
    deletions = Bitrix24EventTrigger(["ONCRMDEALDELETE"])
    updates, deleted = Asset(), Asset()

    async def watch():
        async with running((UPDATES, [updates]), (deletions, [deleted])) as triggerer:
            await until_bound(triggerer, portal, 2)
            await triggerer.end(0)
            await asyncio.to_thread(change, [5])
            await asyncio.to_thread(delete, portal, 6)
            await triggerer.until(lambda: deleted.objects == {6})
            await triggerer.until(lambda: len(rows_of(portal)) == 1)
        assert updates.payloads == []
        async with running((UPDATES, [updates])) as triggerer:
            await triggerer.until(lambda: updates.objects == {5} and not rows_of(portal))

    asyncio.run(watch())


def test_a_change_whose_listener_left_before_it_was_stored_is_not_acknowledged(portal, app, change):
    """The listeners that stayed had nothing to do with it."""
    listening, stores = {"ONCRMDEALUPDATE"}, [Asset().store]
    queue = OfflineQueue("bitrix24_default", "", lambda: listening, Progress("progress", lambda: stores))

    async def look():
        assert await queue.take() == []
        await asyncio.to_thread(change, [5])
        (taken,) = await queue.take()
        listening.clear()
        await queue.acknowledge([taken])
        assert len(rows_of(portal)) == 1
        assert await queue.take() == []
        listening.add("ONCRMDEALUPDATE")
        again = await queue.take()
        await queue.acknowledge(again)
        await queue.forget_client()
        return taken, again

    taken, again = asyncio.run(look())
    assert again == [taken.again()]
    assert rows_of(portal) == []


def delete(portal, deal):
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

    Bitrix24Hook("somebody").call("crm.item.delete", {"entityTypeId": 2, "id": deal})


def test_ten_thousand_changes_and_a_triggerer_that_dies_five_times_at_any_moment(portal, app, change, running):
    asset, chance = Asset(), random.Random(1)
    portal.add_deals(9_970)
    deaths = sorted(chance.sample(range(10_000), 5))

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
        await asyncio.to_thread(change, range(1, 10_001))
        for seen in deaths:
            async with running((UPDATES, [asset])) as triggerer:
                await triggerer.until(lambda seen=seen: len(asset.payloads) > seen)
                await asyncio.sleep(chance.random() / 20)
        async with running((UPDATES, [asset])) as triggerer:
            await triggerer.until(lambda: len(asset.objects) == 10_000 and not rows_of(portal))

    asyncio.run(watch())
    assert len(set(asset.ids)) == 10_000
    known = set()
    for payload in asset.payloads:
        # What new_events drops.
        assert payload["redelivered"] or payload["id"] not in known
        known.add(payload["id"])


# What stands in the way


def failure_of(running, *watched, **options):
    async def watch():
        async with running(*watched) as triggerer:
            await triggerer.until(lambda: False)

    with pytest.raises(Bitrix24Error) as caught:
        asyncio.run(watch())
    return str(caught.value)


def test_a_webhook_is_explained(portal, connection, running, naps):
    said = failure_of(running, (UPDATES, [Asset()]))
    assert "this connection is a webhook: use Bitrix24ChangesTrigger" in said
    # Airflow starts the trigger again at once.
    assert HELPLESS_SECONDS in naps.taken
    assert len(portal.calls) == 1


def test_a_plan_without_the_feature_is_explained(portal, app, change, running):
    portal.plan_features = {"rest_auth_connector"}
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            await asyncio.to_thread(change, [1])
            await triggerer.until(lambda: False)

    with pytest.raises(Bitrix24Error, match="plan lacks the feature rest_offline_extended"):
        asyncio.run(watch())
    assert len(rows_of(portal)) == 1


def test_a_user_who_is_not_an_administrator_is_explained(portal, monkeypatch, running):
    connection = portal.oauth_connection_json(portal.application(portal.clerk), portal.clerk)
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", connection)
    assert "is for administrators: authorize the application again as one" in failure_of(running, (UPDATES, [Asset()]))


def test_an_event_that_the_portal_does_not_know_is_named(portal, app, running):
    said = failure_of(running, (Bitrix24EventTrigger(["ONCRMDEALUPDATED"]), [Asset()]))
    assert "event ONCRMDEALUPDATED could not be bound" in said
    assert "the method events lists the names" in said


def test_a_portal_that_comes_back_is_read_on(portal, app, change, running, naps):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            portal.fault("status_before", "event.*", times=3)
            await asyncio.to_thread(change, [2])
            await triggerer.until(lambda: asset.objects == {2} and not rows_of(portal))

    asyncio.run(watch())
    assert 5.0 in naps.taken


def test_the_event_loop_goes_on_while_the_portal_takes_its_time(portal, app, change, running):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            portal.fault("slow", "event.offline.list", seconds=0.5)
            await asyncio.to_thread(change, [2])
            longest, before = 0.0, asyncio.get_running_loop().time()
            while not asset.payloads:
                await asyncio.sleep(0.01)
                now = asyncio.get_running_loop().time()
                longest, before = max(longest, now - before), now
            await triggerer.until(lambda: not rows_of(portal))
            return longest

    assert asyncio.run(watch()) < 0.4


# What the row of the trigger holds


def test_a_trigger_is_made_again_from_its_row_which_holds_names_only(portal, app):
    trigger = Bitrix24EventTrigger(["onCrmDealUpdate", "ONCRMDEALADD"], "portal", connector="airflow", poll_interval=60)
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_bitrix24.triggers.events.Bitrix24EventTrigger"
    assert json.loads(json.dumps(arguments)) == {
        "events": ["ONCRMDEALADD", "ONCRMDEALUPDATE"],
        "bitrix24_conn_id": "portal",
        "connector": "airflow",
        "poll_interval": 60,
    }
    assert Bitrix24EventTrigger(**arguments).serialize() == (path, arguments)


def test_nothing_secret_is_logged_or_kept(portal, app, change, running, all_output):
    asset = Asset()

    async def watch():
        async with running((UPDATES, [asset])) as triggerer:
            await until_bound(triggerer, portal)
            portal.fault("reset_before", "event.*", times=3)
            await asyncio.to_thread(change, [2])
            await triggerer.until(lambda: asset.objects == {2} and not rows_of(portal))

    asyncio.run(watch())
    assert "failure 1 of 10" in all_output.records
    assert {place for secret in app.secrets() for place in all_output.places_of(secret)} == set()
    assert not any(secret in json.dumps([asset.payloads, asset.store.values]) for secret in app.secrets())


@pytest.mark.parametrize(
    "events",
    [[], "ONCRMDEALUPDATE", [" "], [None], ["ONCRMDEALUPDATE", None], ["None"], [5], None, 5, ["ONCRMDEALADD", ""]],
)
def test_events_that_are_not_a_list_of_names_are_refused(events):
    with pytest.raises(ConfigurationError, match="must be a list of names of events"):
        Bitrix24EventTrigger(events)


@pytest.mark.parametrize("wrong", [{"bitrix24_conn_id": ""}, {"bitrix24_conn_id": None}, {"connector": None}])
def test_other_arguments_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Bitrix24EventTrigger(["ONCRMDEALUPDATE"], **wrong)


@pytest.mark.parametrize("interval", [0, -1, True, "30", float("nan")])
def test_an_interval_that_is_not_one_is_refused(interval):
    with pytest.raises(ConfigurationError, match="poll_interval"):
        Bitrix24EventTrigger(["ONCRMDEALUPDATE"], poll_interval=interval)


def test_a_connector_makes_a_queue_of_its_own(portal, app, change, running):
    own, common = Asset(), Asset()
    connected = Bitrix24EventTrigger(["ONCRMDEALUPDATE"], connector="airflow")

    async def watch():
        async with running((connected, [own]), (UPDATES, [common])) as triggerer:
            await until_bound(triggerer, portal, 2)
            await asyncio.to_thread(change, [3])
            await triggerer.until(lambda: own.objects == common.objects == {3} and not rows_of(portal))

    asyncio.run(watch())
    assert set(own.ids).isdisjoint(common.ids)
