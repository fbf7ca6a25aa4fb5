"""Events and the offline queue: which events there are, who gets them, and how they are taken out."""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.forms import parse_query

PAYMENT_SAVED = "ONPAYMENTENTITYSAVED"


@pytest.fixture
def call(http):
    """``call(app, "event.get", …)`` -> the answer to an application."""

    def post(app, method, params=None, user=None):
        url = app.grant(user)["client_endpoint"] + method
        token = app.grant(user)["access_token"]
        return http.post(url, json={**(params or {}), "auth": token}, verify=http.verify, timeout=10)

    return post


@pytest.fixture
def app(portal, http):
    http.verify = portal.ca_file
    return portal.application()


@pytest.fixture
def result(call):
    def of(app, method, **params):
        body = call(app, method, params).json()
        assert "error" not in body, body
        return body["result"]

    return of


@pytest.fixture
def listens(result):
    def bind(app, *events, **options):
        for event in events:
            result(app, "event.bind", event=event, event_type="offline", **options)

    return bind


def events_of(rows):
    return [(row["EVENT_NAME"], row["EVENT_DATA"]) for row in rows]


@pytest.mark.parametrize("method", ["events", "event.bind", "event.get", "event.unbind", "event.offline.get"])
def test_a_webhook_has_no_events(portal, ask, method):
    answer = ask(portal, method)
    assert (answer.status_code, answer.json()["error"]) == (403, "WRONG_AUTH_TYPE")


def test_an_application_sees_the_events_of_its_scopes(portal, result, http):
    http.verify = portal.ca_file
    app = portal.application(scopes=["crm"])
    names = result(app, "events")
    assert {"ONAPPINSTALL", "ONCRMDEALADD", "ONCRMDYNAMICITEMADD_128"} <= set(names)
    assert PAYMENT_SAVED not in names
    assert PAYMENT_SAVED in result(app, "events", FULL=True)
    assert result(app, "events", SCOPE="user") == ["ONUSERADD"]


def test_an_event_outside_the_scopes_is_not_found(portal, call, http):
    http.verify = portal.ca_file
    app = portal.application(scopes=["crm"])
    answer = call(app, "event.bind", {"event": PAYMENT_SAVED, "event_type": "offline"})
    assert (answer.status_code, answer.json()["error"]) == (400, "ERROR_EVENT_NOT_FOUND")


def test_bindings_are_listed_and_taken_away(app, result):
    result(app, "event.bind", event="onCrmDealAdd", handler="https://example.com/", auth_type=7)
    result(app, "event.bind", event="OnCrmDealAdd", event_type="offline", auth_connector="airflow")
    online = {"event": "ONCRMDEALADD", "handler": "https://example.com/", "auth_type": "7", "offline": 0}
    offline = {"event": "ONCRMDEALADD", "connector_id": "airflow", "offline": 1}
    assert result(app, "event.get") == [online, offline]
    assert result(app, "event.unbind", event="ONCRMDEALADD", event_type="offline") == {"count": 0}
    assert result(app, "event.unbind", event="ONCRMDEALADD", handler="https://example.com/") == {"count": 1}
    assert result(app, "event.get") == [offline]


def test_binding_twice_is_an_error(app, listens, call):
    listens(app, "ONCRMDEALADD")
    answer = call(app, "event.bind", {"event": "ONCRMDEALADD", "event_type": "offline"})
    assert (answer.status_code, answer.json()["error"]) == (400, "ERROR_CORE")


@pytest.mark.parametrize(
    ("params", "argument"),
    [
        ({"handler": "https://example.com/"}, "event"),
        ({"event": "ONCRMDEALADD"}, "handler"),
        ({"event": "ONCRMDEALADD", "event_type": "both"}, "event_type"),
        ({"event": "ONOFFLINEEVENT", "event_type": "offline"}, "event_type"),
    ],
)
def test_a_wrong_argument_is_named(app, call, params, argument):
    body = call(app, "event.bind", params).json()
    assert (body["error"], body["argument"]) == ("ERROR_ARGUMENT", argument)


def test_only_administrators_have_a_queue_or_hand_out_tokens_of_others(portal, app, call):
    def refused(method, **params):
        answer = call(app, method, params, user=portal.clerk)
        return answer.status_code == 403 and answer.json()["error"] == "ACCESS_DENIED"

    assert refused("event.bind", event="ONCRMDEALADD", event_type="offline")
    assert refused("event.bind", event="ONCRMDEALADD", handler="https://example.com/", auth_type=1)
    assert refused("event.offline.list")
    own = call(app, "event.bind", {"event": "ONCRMDEALADD", "handler": "https://x.test/", "auth_type": 7}, portal.clerk)
    assert own.json()["result"] is True


def test_changes_of_every_kind_are_queued(portal, ask, app, listens, result):
    deals = [f"ONCRMDEAL{change}" for change in ("ADD", "UPDATE", "DELETE", "MOVETOCATEGORY")]
    listens(app, *deals, PAYMENT_SAVED, "ONPAYMENTDELETED", "ONCRMDYNAMICITEMUPDATE", "ONCRMDYNAMICITEMUPDATE_128")
    listens(app, "ONTASKADD", "ONCRMTIMELINECOMMENTADD")
    (smart_item,), (invoice,) = portal.add_items(128, 1), portal.add_items(31, 1)

    def change(method, **params):
        return ask(portal, method, params).json()["result"]

    deal = change("crm.deal.add", fields={"TITLE": "New"})
    change("crm.item.update", entityTypeId=2, id=deal, fields={"title": "Newer"})
    change("crm.deal.update", id=deal, fields={"CATEGORY_ID": 9, "STAGE_ID": "C9:NEW"})
    payment = change("crm.item.payment.add", entityTypeId=2, entityId=deal)
    change("crm.timeline.comment.add", fields={"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "x"})
    change("crm.deal.delete", id=deal)
    for kind, item in ((128, smart_item), (31, invoice)):
        change("crm.item.update", entityTypeId=kind, id=item, fields={"title": "x"})
    task = change("tasks.task.add", fields={"TITLE": "T", "RESPONSIBLE_ID": 1})["task"]["id"]

    rows = result(app, "event.offline.list")
    assert events_of(rows) == [
        ("ONCRMDEALADD", {"FIELDS": {"ID": deal}}),
        ("ONCRMDEALUPDATE", {"FIELDS": {"ID": deal}}),
        ("ONCRMDEALMOVETOCATEGORY", {"FIELDS": {"ID": deal, "CATEGORY_ID": 9, "STAGE_ID": "C9:NEW"}}),
        (PAYMENT_SAVED, {"FIELDS": {"ID": payment}}),
        ("ONCRMTIMELINECOMMENTADD", rows[4]["EVENT_DATA"]),
        ("ONPAYMENTDELETED", {"FIELDS": {"ID": payment}}),
        ("ONCRMDEALDELETE", {"FIELDS": {"ID": deal}}),
        ("ONCRMDYNAMICITEMUPDATE", {"FIELDS": {"ID": smart_item, "ENTITY_TYPE_ID": 128}}),
        ("ONCRMDYNAMICITEMUPDATE_128", {"FIELDS": {"ID": smart_item, "ENTITY_TYPE_ID": 128}}),
        ("ONCRMDYNAMICITEMUPDATE", {"FIELDS": {"ID": invoice, "ENTITY_TYPE_ID": 31}}),
        ("ONTASKADD", rows[10]["EVENT_DATA"]),
    ]
    assert rows[10]["EVENT_DATA"]["FIELDS_AFTER"] == {"ID": int(task)}
    assert {row["EVENT_ADDITIONAL"]["user_id"] for row in rows} == {1}


@pytest.mark.parametrize(
    ("method", "params", "event"),
    [
        ("crm.item.payment.pay", {}, PAYMENT_SAVED),
        ("crm.item.payment.unpay", {}, PAYMENT_SAVED),
        ("crm.item.payment.update", {"fields": {"paid": "Y"}}, PAYMENT_SAVED),
        ("sale.payment.update", {"fields": {"paySystemId": 6}}, PAYMENT_SAVED),
        ("crm.item.payment.delete", {}, "ONPAYMENTDELETED"),
        ("sale.payment.delete", {}, "ONPAYMENTDELETED"),
    ],
)
def test_a_changed_payment_is_reported(portal, ask, app, listens, result, method, params, event):
    listens(app, PAYMENT_SAVED, "ONPAYMENTDELETED")
    payment = portal.add_payment(1)
    ask(portal, method, {"id": payment, **params})
    assert events_of(result(app, "event.offline.get")["events"]) == [(event, {"FIELDS": {"ID": payment}})]


def test_a_refused_change_and_one_behind_everybodys_back_are_not_reported(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED, "ONPAYMENTDELETED", "ONCRMDEALDELETE")
    paid = portal.add_payment(1, paid=True)
    ask(portal, "crm.item.payment.delete", {"id": paid})
    ask(portal, "crm.item.payment.pay", {"id": paid}, user=portal.clerk)
    portal.remove_payment(paid)
    portal.remove_item(2, 1)
    assert result(app, "event.offline.list") == []


def test_a_thousand_changes_of_one_object_are_one_row(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    payment = portal.add_payment(1)
    ask(portal, "crm.item.payment.pay", {"id": payment})
    (before,) = result(app, "event.offline.list")
    portal.clock.advance(60)
    ask(portal, "crm.item.payment.unpay", {"id": payment})
    (after,) = result(app, "event.offline.list")
    assert after["MESSAGE_ID"] == before["MESSAGE_ID"]
    assert len(after["MESSAGE_ID"]) == 32
    assert after["TIMESTAMP_X"] > before["TIMESTAMP_X"]


def pay_some(portal, ask, count):
    """That many payments are paid: that many rows in every queue."""
    payments = [portal.add_payment(1) for _ in range(count)]
    for payment in payments:
        ask(portal, "crm.item.payment.pay", {"id": payment})
    return payments


def payments_of(rows):
    return [row["EVENT_DATA"]["FIELDS"]["ID"] for row in rows]


def test_reading_clears_by_default(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    payments = pay_some(portal, ask, 3)
    first = result(app, "event.offline.get", limit=2)
    assert first["process_id"] is None
    assert payments_of(first["events"]) == payments[:2]
    assert payments_of(result(app, "event.offline.get")["events"]) == payments[2:]
    assert result(app, "event.offline.list") == []


def test_reserved_rows_are_hidden_until_they_are_cleared(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    payments = pay_some(portal, ask, 3)
    mine = result(app, "event.offline.get", clear=0, limit=2)
    others = result(app, "event.offline.get", clear=0)
    assert len(mine["process_id"]) == 32
    assert others["process_id"] != mine["process_id"]
    assert payments_of(mine["events"]) == payments[:2]
    assert payments_of(others["events"]) == payments[2:]
    assert result(app, "event.offline.get", clear=0)["events"] == []

    # After a crash: find what is reserved, and read it again.
    lost = result(app, "event.offline.list", filter={">PROCESS_ID": ""})
    assert lost[0]["PROCESS_ID"] == mine["process_id"]
    again = result(app, "event.offline.get", clear=0, process_id=mine["process_id"])
    assert again == mine

    assert result(app, "event.offline.clear", process_id=mine["process_id"]) is True
    assert payments_of(result(app, "event.offline.list")) == payments[2:]


def test_a_change_of_a_reserved_row_is_a_new_row(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    (payment,) = pay_some(portal, ask, 1)
    process_id = result(app, "event.offline.get", clear=0)["process_id"]
    ask(portal, "crm.item.payment.unpay", {"id": payment})
    result(app, "event.offline.clear", process_id=process_id)
    assert payments_of(result(app, "event.offline.get")["events"]) == [payment]


def test_a_part_of_a_process_is_cleared_and_another_marked(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    payments = pay_some(portal, ask, 3)
    taken = result(app, "event.offline.get", clear=0)
    process_id, (one, two, _) = taken["process_id"], taken["events"]
    result(app, "event.offline.clear", process_id=process_id, id=[one["ID"]])
    result(app, "event.offline.error", process_id=process_id, message_id=[two["MESSAGE_ID"]])
    assert result(app, "event.offline.get")["events"] == []
    assert payments_of(result(app, "event.offline.get", error=1, clear=0)["events"]) == payments[1:2]
    assert payments_of(result(app, "event.offline.list", filter={"ERROR": 0})) == payments[2:]


def test_a_change_after_an_error_keeps_the_mark(portal, ask, app, listens, result):
    listens(app, PAYMENT_SAVED)
    (payment,) = pay_some(portal, ask, 1)
    process_id = result(app, "event.offline.get", clear=0)["process_id"]
    ask(portal, "crm.item.payment.unpay", {"id": payment})
    result(app, "event.offline.error", process_id=process_id)
    ask(portal, "crm.item.payment.pay", {"id": payment})
    assert [(row["ERROR"], row["PROCESS_ID"]) for row in result(app, "event.offline.list")] == [("1", "")]


def test_of_two_lists_the_messages_are_cleared_or_as_documented_the_ids(ask, http, listens, result):
    for reading, left in (("source", 0), ("documentation", 1)):
        with Sandbox(deals=3, offline_queue=reading) as portal:
            http.verify = portal.ca_file
            app = portal.application()
            listens(app, PAYMENT_SAVED)
            payments = pay_some(portal, ask, 2)
            taken = result(app, "event.offline.get", clear=0)
            both = {"id": [taken["events"][0]["ID"]], "message_id": [taken["events"][1]["MESSAGE_ID"]]}
            result(app, "event.offline.clear", process_id=taken["process_id"], **both)
            assert payments_of(result(app, "event.offline.list")) == [payments[left]]


@pytest.mark.parametrize(
    ("method", "params", "argument"),
    [
        ("event.offline.get", {"limit": 0}, "limit"),
        ("event.offline.get", {"filter": {"PROCESS_ID": "x"}}, "filter"),
        ("event.offline.get", {"filter": {"!ID": 1}}, "filter"),
        ("event.offline.get", {"filter": {"@ID": [1, 2]}}, "filter"),
        ("event.offline.list", {"order": {"EVENT_DATA": "ASC"}}, "order"),
        ("event.offline.clear", {}, "process_id"),
        ("event.offline.clear", {"process_id": "x", "message_id": ["2"]}, "message_id"),
        ("event.offline.error", {"message_id": ["x" * 32]}, "process_id"),
    ],
)
def test_the_queue_names_a_wrong_argument(app, call, method, params, argument):
    answer = call(app, method, params)
    body = answer.json()
    assert (answer.status_code, body["error"], body["argument"]) == (400, "ERROR_ARGUMENT", argument)


def test_the_list_has_pages_filters_and_an_order(portal, ask, app, listens, call, result):
    listens(app, PAYMENT_SAVED, "ONPAYMENTDELETED")
    payments = pay_some(portal, ask, 52)
    body = call(app, "event.offline.list").json()
    assert (len(body["result"]), body["total"], body["next"]) == (50, 52, 50)
    rest = call(app, "event.offline.list", {"start": 50, "order": {"ID": "DESC"}}).json()
    assert payments_of(rest["result"]) == payments[1::-1]
    assert result(app, "event.offline.list", filter={"@EVENT_NAME": ["ONPAYMENTDELETED"]}) == []
    assert len(result(app, "event.offline.get", filter={">ID": 50})["events"]) == 2


def test_own_changes_are_not_queued_but_those_of_others_are(portal, ask, app, listens, call, result):
    listens(app, PAYMENT_SAVED)
    mine, others, webhooks = (portal.add_payment(1) for _ in range(3))
    call(app, "crm.item.payment.pay", {"id": mine})
    call(portal.application(), "crm.item.payment.pay", {"id": others})
    ask(portal, "crm.item.payment.pay", {"id": webhooks})
    assert payments_of(result(app, "event.offline.list")) == [others, webhooks]


def test_by_the_documentation_own_changes_are_queued(http, listens, call, result):
    with Sandbox(deals=3, offline_queue="documentation") as portal:
        http.verify = portal.ca_file
        app = portal.application()
        listens(app, PAYMENT_SAVED)
        payment = portal.add_payment(1)
        call(app, "crm.item.payment.pay", {"id": payment})
        assert payments_of(result(app, "event.offline.list")) == [payment]


def test_a_connector_has_its_own_queue_without_its_own_echo(portal, app, listens, call, result):
    listens(app, PAYMENT_SAVED, auth_connector="airflow")
    echo, batched, heard = (portal.add_payment(1) for _ in range(3))
    call(app, "crm.item.payment.pay", {"id": echo, "auth_connector": "airflow"})
    call(app, "batch", {"cmd": {"a": f"crm.item.payment.pay?id={batched}"}, "auth_connector": "airflow"})
    call(app, "crm.item.payment.pay", {"id": heard})
    assert portal.payment(batched)["paid"] == "Y"
    assert result(app, "event.offline.list") == []
    assert payments_of(result(app, "event.offline.list", auth_connector="airflow")) == [heard]


def test_a_plan_may_lack_reserving_and_connectors(portal, app, call, result):
    portal.plan_features = set()
    for method, params in (
        ("event.offline.get", {"clear": 0}),
        ("event.offline.list", {"auth_connector": "airflow"}),
        ("event.bind", {"event": "ONCRMDEALADD", "event_type": "offline", "auth_connector": "airflow"}),
    ):
        answer = call(app, method, params)
        assert (answer.status_code, answer.json()["error"]) == (403, "WRONG_LICENSE")
    assert result(app, "event.offline.get")["events"] == []
    assert result(app, "feature.get", CODE="rest_offline_extended") == {"value": "N"}


@pytest.mark.parametrize(("reading", "days"), [("source", 34.2), ("documentation", 30)])
def test_old_rows_go_even_if_they_are_reserved(ask, http, listens, result, reading, days):
    with Sandbox(deals=3, offline_queue=reading) as portal:
        http.verify = portal.ca_file
        app = portal.application()
        listens(app, PAYMENT_SAVED)
        pay_some(portal, ask, 1)
        result(app, "event.offline.get", clear=0)
        portal.clock.advance((days - 0.1) * 86_400)
        assert len(result(app, "event.offline.list")) == 1
        portal.clock.advance(0.2 * 86_400)
        assert result(app, "event.offline.list") == []


def test_an_uninstalled_application_is_sent_nothing(portal, ask, app, listens):
    listens(app, PAYMENT_SAVED)
    app.uninstall()
    pay_some(portal, ask, 1)
    assert len(portal._state.events.queue) == 0


@pytest.fixture
def handler():
    """An event handler of a user: its URL, and a queue of (content type, form) that it received."""
    received: queue.Queue = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            received.put((self.headers["content-type"], parse_query(body)))

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/events?token=secret", received
        server.shutdown()
        thread.join()


def test_a_handler_on_this_computer_is_called(portal, ask, app, result, call, handler):
    url, received = handler
    result(app, "event.bind", event=PAYMENT_SAVED, handler=url)
    payment = portal.add_payment(1)
    ask(portal, "crm.item.payment.pay", {"id": payment})
    content_type, form = received.get(timeout=10)
    assert content_type == "application/x-www-form-urlencoded"
    assert form["event"] == PAYMENT_SAVED
    assert form["data"] == {"FIELDS": {"ID": str(payment)}}
    assert set(form) == {"event", "event_handler_id", "data", "ts", "auth"}
    auth = form["auth"]
    assert auth["application_token"] == app.application_token
    assert (auth["member_id"], auth["client_endpoint"]) == (portal.member_id, f"{portal.url}/rest/")
    assert "refresh_token" not in auth


def test_a_handler_gets_the_token_of_whoever_acted_or_of_the_bound_user(portal, ask, app, result, http, handler):
    url, received = handler
    portal.clerk.rights = {"read", "change_orders"}
    result(app, "event.bind", event=PAYMENT_SAVED, handler=url)
    result(app, "event.bind", event=PAYMENT_SAVED, handler=url, auth_type=1)
    ask(portal, "crm.item.payment.pay", {"id": portal.add_payment(1)}, user=portal.clerk)
    forms = [received.get(timeout=10)[1] for _ in range(2)]
    who = [
        http.post(f"{portal.url}/rest/profile", json={"auth": form["auth"]["access_token"]}, timeout=10).json()
        for form in forms
    ]
    assert [body["result"]["ID"] for body in who] == ["7", "1"]


def test_a_handler_hears_that_something_waits_but_not_too_often(portal, ask, app, listens, result, handler):
    url, received = handler
    listens(app, PAYMENT_SAVED)
    result(app, "event.bind", event="ONOFFLINEEVENT", handler=url, options={"minTimeout": 30})
    pay_some(portal, ask, 2)
    portal.clock.advance(30)
    pay_some(portal, ask, 1)
    result(app, "event.bind", event="ONPAYMENTDELETED", handler=url)
    ask(portal, "crm.item.payment.delete", {"id": portal.add_payment(1)})
    forms = [received.get(timeout=10)[1] for _ in range(3)]
    assert [form["event"] for form in forms] == ["ONOFFLINEEVENT", "ONOFFLINEEVENT", "ONPAYMENTDELETED"]
    assert "refresh_token" in forms[0]["auth"]
    assert "data" not in forms[0]


def test_a_handler_that_is_down_is_named_without_its_secrets(portal, ask, app, result, handler, caplog):
    url, received = handler
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        nobody = f"http://127.0.0.1:{closed.server_port}/?token=secret"
    result(app, "event.bind", event=PAYMENT_SAVED, handler=nobody)
    result(app, "event.bind", event=PAYMENT_SAVED, handler=url)
    pay_some(portal, ask, 1)
    received.get(timeout=10)
    (record,) = [record for record in caplog.records if "event handler" in record.getMessage()]
    assert "ConnectionError" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize(
    "url", ["https://www.my-domain.com/handler/", "ftp://127.0.0.1/", "not a URL", "http://[::2]/"]
)
def test_nobody_outside_this_computer_is_called(portal, url):
    assert not portal._state.events.delivery.reaches(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8/", "https://localhost/", "http://[::1]:8/x"])
def test_this_computer_is_reached_by_each_of_its_names(portal, url):
    assert portal._state.events.delivery.reaches(url)
