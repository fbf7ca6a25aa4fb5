"""What is known of methods, and what is assumed of the others."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitrix24 import methods as methods_module
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import METHODS, Method, Methods, Rows

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = json.loads((ROOT / "tests/data/list-methods.json").read_text(encoding="utf-8"))
QUEUE = "event.offline.get"
ALL = list(METHODS)


def rows_of(name: str, version: int = 2) -> Rows:
    rows = METHODS.find(name, version).rows
    assert rows is not None, f"{name} is not a list"
    return rows


@pytest.mark.parametrize(
    "name",
    [
        *("profile", "scope", "user.current", "user.admin", "user.access", "server.time", "methods", "method.get"),
        *("app.info", "feature.get", "access.name", "events", "event.get", "event.offline.list"),
        *("user.search", "im.search.user.list", "im.notify.history.search", "disk.file.search"),
        *("landing.site.getList", "task.elapseditem.getlist", "sale.delivery.getlist", "disk.folder.getChildren"),
        *("crm.item.productrow.getAvailableForPayment", "crm.type.getByEntityTypeId", "bizproc.workflow.instances"),
        *("crm.deal.list", "crm.item.get", "crm.deal.fields", "sale.payment.getFields", "tasks.task.getFields"),
        *("crm.status.entity.types", "timeman.status", "timeman.settings", "calendar.event.getbyid"),
        *("catalog.product.getFieldsByFilter", "telephony.externalcall.searchcrmentities"),
        *("sonet_group.user.groups", "catalog.priceTypeLang.getLanguages", "sign.b2e.mysafe.tail"),
    ],
)
def test_a_reader_is_known_whatever_its_ending(name):
    assert METHODS.find(name).repeat == "read"


@pytest.mark.parametrize(
    "name",
    [
        *("crm.item.delete", "crm.deal.delete", "crm.item.payment.delete", "crm.item.productrow.delete"),
        *("crm.item.payment.pay", "crm.item.payment.unpay", "crm.item.payment.update"),
        *("crm.item.payment.product.setQuantity", "crm.item.payment.product.delete"),
        *("crm.item.payment.delivery.setDelivery", "crm.item.payment.delivery.delete"),
        *("crm.item.update", "crm.deal.update", "crm.deal.productrows.set", "crm.item.productrow.set"),
        *("sale.payment.update", "sale.payment.delete", "tasks.task.update", "user.update"),
        *("im.notify.read", "im.notify.read.all", "event.offline.clear", "crm.activity.todo.updateDeadline"),
    ],
)
def test_a_change_that_leaves_the_same_state_twice_is_harmless(name):
    assert METHODS.find(name).repeat == "harmless"


@pytest.mark.parametrize(
    "name",
    [
        *("crm.item.add", "crm.item.import", "crm.item.batchImport", "crm.deal.add", "crm.item.payment.add"),
        *("crm.item.payment.product.add", "crm.item.payment.delivery.add", "crm.timeline.comment.add"),
        *("tasks.task.add", "im.notify", "im.notify.personal.add", "im.message.add", "crm.activity.todo.add"),
        *("sale.payment.add", "crm.deal.recurring.expose", "crm.documentgenerator.document.add", "event.bind"),
        *("batch", "acme.report.build", "acme.report.delete", "acme.report.update", "acme.list.add"),
        *("list", "get", "acme.getlists", "acme.forget", "acme.get.", ".", ""),
    ],
)
def test_what_adds_or_is_unknown_is_never_repeated(name):
    assert METHODS.find(name).repeat == "never"
    assert METHODS.find(name).rows is None


@pytest.mark.parametrize("ending", ["get", "list", "fields", "GET", "List", "search", "getList", "getFields"])
def test_an_unknown_method_reads_by_its_ending(ending):
    assert METHODS.find(f"acme.report.{ending}").repeat == "read"


@pytest.mark.parametrize(
    ("name", "repeat"),
    [("im.notify.read.list", "harmless"), ("imbot.v2.Event.get", "harmless"), ("event.offline.get", "never")],
)
def test_a_method_that_changes_something_is_not_a_reader_though_it_ends_like_one(name, repeat):
    assert METHODS.find(name).repeat == repeat
    assert METHODS.find(name).rows is None


@pytest.mark.parametrize(
    ("params", "repeat"),
    [
        (None, "never"),
        ({}, "never"),
        ({"clear": 1}, "never"),
        # Reserved under a process_id that nobody has seen: these events would be lost to the next call.
        ({"clear": 0}, "never"),
        ({"clear": 0, "process_id": ""}, "never"),
        ({"process_id": "a1b2"}, "never"),
        ({"clear": 1, "process_id": "a1b2"}, "never"),
        ({"clear": 0, "process_id": "a1b2"}, "read"),
        ({"clear": "0", "process_id": "a1b2"}, "read"),
        ({"clear": False, "process_id": "a1b2"}, "read"),
        ({"clear": 0, "CLEAR": 1, "process_id": "a1b2"}, "never"),
        ({"CLEAR": 0, "process_id": "a1b2"}, "never"),
    ],
)
def test_offline_events_are_asked_for_again_only_from_a_reservation_whose_id_we_have(params, repeat):
    assert METHODS.find("event.offline.get").repeat_for(params) == repeat


@pytest.mark.parametrize(
    ("name", "fields", "repeat"),
    [
        ("crm.item.update", {"title": "A"}, "harmless"),
        ("crm.item.update", {"fm": {"n0": {"typeId": "PHONE", "value": "+6111"}}}, "never"),
        ("crm.item.update", {"fm": {"101": {"value": "+6111"}}}, "harmless"),
        ("crm.item.update", {"fm": {101: {"value": ""}}}, "harmless"),
        ("crm.item.update", {"fm": {"101": {"value": ""}, "n0": {"value": "+6111"}}}, "never"),
        ("crm.item.update", {"fm": {"0": {"value": "+6111"}}}, "never"),
        ("crm.item.update", {"fm": [{"id": 101, "value": "+6111"}]}, "harmless"),
        ("crm.item.update", {"fm": []}, "harmless"),
        ("crm.contact.update", {"PHONE": [{"VALUE": "+6111", "VALUE_TYPE": "WORK"}]}, "never"),
        ("crm.contact.update", {"PHONE": [{"ID": "8303", "VALUE": "+6111"}]}, "harmless"),
        ("crm.company.update", {"EMAIL": [{"ID": "1"}, {"VALUE": "a@example.com"}]}, "never"),
        ("crm.lead.update", {"WEB": {"0": {"VALUE": "https://example.com"}}}, "never"),
        ("crm.lead.update", {"WEB": {"101": {"VALUE": "https://example.com"}}}, "never"),
        ("crm.lead.update", {"IM": "text"}, "never"),
        ("crm.contact.update", {"PHONE": None, "NAME": "A"}, "harmless"),
        ("crm.deal.update", {"OPPORTUNITY": 10}, "harmless"),
    ],
)
def test_an_update_that_would_add_a_phone_twice_is_not_repeated(name, fields, repeat):
    assert METHODS.find(name).repeat_for({"id": 1, "fields": fields}) == repeat
    assert METHODS.find(name).repeat_for({"ID": 1, "FIELDS": fields}) == repeat


def test_an_update_without_fields_is_what_the_table_says():
    assert METHODS.find("crm.contact.update").repeat_for({"id": 1, "fields": "text"}) == "harmless"
    assert METHODS.find("crm.contact.update").repeat_for() == "harmless"


@pytest.mark.parametrize(
    ("name", "version", "lookup", "done"),
    [
        ("crm.item.payment.delete", 2, "crm.item.payment.get", True),
        ("crm.item.delete", 2, "crm.item.get", []),
        ("crm.deal.delete", 2, "crm.deal.get", True),
        ("crm.item.productrow.delete", 2, "crm.item.productrow.get", None),
        ("sale.payment.delete", 2, "sale.payment.get", True),
        ("tasks.task.delete", 2, "tasks.task.get", {"task": True}),
        ("tasks.task.delete", 3, "tasks.task.get", {"result": True}),
        ("crm.category.delete", 2, "crm.category.get", None),
        ("crm.type.delete", 2, "crm.type.get", []),
        ("disk.file.delete", 2, "disk.file.get", True),
        ("lists.element.delete", 2, "lists.element.get", True),
        ("crm.item.payment.product.delete", 2, None, True),
        ("acme.report.delete", 2, None, True),
    ],
)
def test_a_delete_knows_who_can_tell_whether_it_happened_and_what_it_would_have_answered(name, version, lookup, done):
    method = METHODS.find(name, version)
    assert (method.lookup, method.done) == (lookup, done)


def test_every_lookup_reads_one_object():
    for method in ALL:
        if method.lookup:
            lookup = METHODS.find(method.lookup, method.version)
            assert lookup.repeat == "read", method
            # A list is empty without the object, as it is for who must not see it.
            assert lookup.rows is None or method.lookup_may_be_empty, method
            assert method.repeat == "harmless", method


def test_changes_of_payments_succeed_only_with_true():
    must_be_true = {method.name for method in ALL if method.must_be_true and method.name.startswith("crm.item.")}
    assert must_be_true == {
        *(f"crm.item.payment.{action}" for action in ("delete", "pay", "unpay", "update")),
        *("crm.item.payment.product.delete", "crm.item.payment.product.setQuantity"),
        *("crm.item.payment.delivery.delete", "crm.item.payment.delivery.setDelivery"),
    }


def test_tasks_are_asked_for_by_ID_and_answer_id():
    rows = rows_of("tasks.task.list")
    assert (rows.at, rows.id_key, rows.filter_id, rows.order_id) == ("tasks", "id", "ID", "ID")
    assert (rows.paging, rows.drops_unknown_filters, rows.case_sensitive) == ("keyset", True, True)


def test_smart_process_types_are_ordered_by_id_in_lower_case():
    rows = rows_of("crm.type.list")
    assert (rows.at, rows.filter_id, rows.order_id, rows.select) == ("types", "id", "id", None)


def test_items_are_wrapped():
    rows = rows_of("crm.item.list")
    assert (rows.at, rows.id_key, rows.filter_id, rows.order_id) == ("items", "id", "id", "id")
    assert (rows.paging, rows.case_sensitive, rows.fields_method) == ("keyset", True, "crm.item.fields")


@pytest.mark.parametrize("kind", ["activity", "company", "contact", "deal", "lead", "quote"])
def test_old_crm_lists_take_any_case_and_drop_filters_they_do_not_know(kind):
    rows = rows_of(f"crm.{kind}.list")
    assert (rows.at, rows.id_key, rows.filter_id, rows.order_id) == ("", "ID", "ID", "ID")
    assert (rows.paging, rows.case_sensitive, rows.drops_unknown_filters) == ("keyset", False, True)
    assert rows.fields_method == f"crm.{kind}.fields"


def test_stage_history_has_upper_case_fields_under_items():
    rows = rows_of("crm.stagehistory.list")
    assert (rows.at, rows.id_key, rows.filter_id, rows.order_id, rows.paging) == ("items", "ID", "ID", "ID", "keyset")


def test_users_are_sorted_by_two_scalars():
    rows = rows_of("user.get")
    assert (rows.filter, rows.sort, rows.order, rows.order_id) == ("FILTER", "sort", "order", "ID")
    assert (rows.paging, rows.case_sensitive) == ("keyset", False)


@pytest.mark.parametrize("name", ["user.search", "crm.requisite.list", "crm.deal.recurring.list", "lists.element.get"])
def test_a_list_that_always_counts_or_is_not_known_to_filter_by_id_pages_by_start(name):
    assert rows_of(name).paging == "start"
    assert rows_of(name).filter_id is None


def test_addresses_have_no_id_and_a_total_that_is_not_true():
    rows = rows_of("crm.address.list")
    assert (rows.paging, rows.unique_id, rows.id_key, rows.total_is_true) == ("start", False, None, False)


@pytest.mark.parametrize(
    "name", ["crm.item.payment.list", "crm.item.delivery.list", "crm.status.list", "crm.category.list", "event.get"]
)
def test_a_directory_comes_in_one_answer(name):
    assert rows_of(name).paging == "single"


@pytest.mark.parametrize("name", ["im.user.list.get", "sale.paysystem.list", "task.items.getlist"])
def test_a_list_whose_paging_nobody_describes_cannot_be_known_to_end_with_a_full_page(name):
    assert rows_of(name).paging == "unknown"
    assert rows_of(name).page_rows == 50


@pytest.mark.parametrize(
    ("name", "page_rows"), [("crm.timeline.logmessage.list", 10), ("crm.deal.list", 50), ("im.dialog.messages.get", 20)]
)
def test_a_full_page_has_as_many_rows_as_documented(name, page_rows):
    assert rows_of(name).page_rows == page_rows


@pytest.mark.parametrize(
    ("name", "paging", "limit", "cursor"),
    [
        ("landing.site.getList", "limit-offset", "limit", "offset"),
        ("im.recent.list", "limit-offset", "LIMIT", "OFFSET"),
        ("im.notify.get", "last-id", "LIMIT", "LAST_ID"),
        ("biconnector.source.list", "page", None, "page"),
        ("crm.deal.list", "keyset", None, "start"),
    ],
)
def test_the_parameters_that_turn_the_page_are_spelled_as_documented(name, paging, limit, cursor):
    rows = rows_of(name)
    assert (rows.paging, rows.limit, rows.cursor) == (paging, limit, cursor)


def test_rows_may_be_an_object_keyed_by_id_or_plain_values():
    assert rows_of("documentgenerator.template.list").keyed_by_id
    assert rows_of("im.chat.user.list").of_values
    assert not rows_of("crm.deal.list").keyed_by_id
    assert not rows_of("crm.deal.list").of_values


def test_one_name_is_two_methods_in_two_versions():
    assert rows_of("tasks.task.list", 2).at == "tasks"
    rows = rows_of("tasks.task.list", 3)
    assert (rows.at, rows.paging, rows.cursor, rows.filter_id) == ("items", "v3", "pagination", "id")
    assert (METHODS.find("tasks.task.list", 2).scope, METHODS.find("tasks.task.list", 3).scope) == ("task", "tasks")


def test_an_unknown_list_pages_by_start_with_every_check_on():
    rows = rows_of("acme.report.list")
    assert rows == Rows()
    assert (rows.at, rows.paging, rows.unique_id, rows.total_is_true) == (None, "start", True, True)


def test_an_unknown_list_of_the_third_version_pages_as_all_of_them_do():
    rows = rows_of("acme.report.list", 3)
    assert (rows.at, rows.id_key, rows.paging) == ("items", "id", "v3")
    assert METHODS.find("acme.report.get", 3).rows is None


def test_a_keyset_needs_an_id_that_can_be_filtered_and_sorted():
    for method in ALL:
        if method.rows and method.rows.paging == "keyset":
            rows = method.rows
            assert None not in (rows.filter, rows.filter_id, rows.order, rows.order_id, rows.id_key), method.name
            assert (rows.keyed_by_id, rows.of_values, rows.page_rows) == (False, False, 50), method.name


@pytest.mark.parametrize(
    "fact",
    [fact for fact in DOCUMENTED if fact["method"] != QUEUE],
    ids=lambda fact: f"{fact['method']}-{fact['rest']}",
)
def test_a_documented_list_reads_from_where_its_page_shows_the_rows(fact):
    method = METHODS.find(fact["method"], int(fact["rest"][1:]))
    assert method.name == fact["method"]
    assert method.repeat == "read"
    assert method.rows is not None
    expected = {None: None, "result": ""}.get(fact["rows_at"], str(fact["rows_at"]).removeprefix("result."))
    assert method.rows.at == expected


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("crm.item.payment.delete", "crm"),
        ("salescenter.payment.getPublicUrl", "salescenter"),
        ("sale.paysystem.list", "pay_system"),
        ("user.get", "user"),
        ("im.notify", "im"),
        ("profile", None),
        # No line of its own, but every method of its family needs the same.
        ("crm.invoice.recurring.expose", "crm"),
        ("catalog.product.delete", "catalog"),
        # The families sale and user need several scopes: nobody can tell which.
        ("sale.cashbox.add", None),
        ("user.counters", None),
        ("acme.report.build", None),
    ],
)
def test_the_scope_is_the_documented_one_or_the_only_one_of_the_family(name, scope):
    assert METHODS.find(name).scope == scope


@pytest.mark.parametrize("name", ["crm.item.payment.product.setQuantity", "crm.deal.list", "tasks.task.getFields"])
def test_names_compare_without_case(name):
    assert METHODS.find(name.upper()) == METHODS.find(name.lower()) == METHODS.find(name)


def test_a_users_own_method_wins_over_the_table_and_over_an_earlier_one():
    first = Method("CRM.Deal.List", repeat="never")
    second = Method("crm.deal.list", repeat="read", rows=Rows(at="deals"))
    methods = METHODS.adding(first)
    assert methods.find("crm.deal.list") is first
    assert methods.adding(second).find("crm.deal.LIST") is second
    assert methods.find("crm.deal.list") is first
    assert METHODS.find("crm.deal.list").rows != second.rows
    assert METHODS.adding(Method("crm.deal.list", version=3)).find("crm.deal.list") == METHODS.find("crm.deal.list")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Method("acme.x.add", repeat="Never"), r"acme.x.add: repeat of a method is 'Never': write .*'never'"),
        (lambda: Method("acme.x.add", repeat=False), "repeat of a method is False"),
        (lambda: Method("acme.x.add", version="3"), "version of a method is '3': write one of: 2, 3"),
        (lambda: Method("acme.x.add", repeat_unless="phones"), "repeat_unless of a method is 'phones'"),
        (lambda: Method("acme.x.list", rows={"at": "items"}), "its rows are described by Rows: write"),
        (lambda: Method(None), "a method needs a name"),
        (lambda: Rows(paging="cursor"), r"paging of a method is 'cursor': write one of: 'keyset', 'start'"),
        (lambda: METHODS.adding("acme.x.add"), r"is not a Method: write e\.g\. Method"),
        (lambda: METHODS.adding({"name": "acme.x.add"}), "is not a Method"),
    ],
)
def test_a_method_that_is_described_wrongly_is_refused_when_it_is_made(make, message):
    """A misspelt "never" would count as something that may be sent twice."""
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_users_own_method_is_among_all_methods_once():
    methods = Methods(Method("acme.report.build"), Method("CRM.DEAL.LIST"))
    names = [method.name for method in methods]
    assert names.count("acme.report.build") == names.count("CRM.DEAL.LIST") == 1
    assert "crm.deal.list" not in names
    assert not [name for name in names if "*" in name]


@given(st.one_of(st.text(), st.from_regex(r"[a-zA-Z*]{0,6}(\.[a-zA-Z*]{0,6}){0,3}")), st.sampled_from([2, 3]))
def test_any_text_is_the_name_of_a_method(name, version):
    method = METHODS.find(name, version)
    assert method.version == version
    assert method.name.lower() == name.lower()
    assert method.repeat_for({}) in ("read", "harmless", "never")


@given(st.from_regex(r"acme\.[a-zA-Z]{1,8}\.[a-zA-Z]{1,10}", fullmatch=True))
def test_an_unknown_method_is_read_only_by_a_known_ending(name):
    endings = ("get", "list", "fields", "search", "getlist", "getfields", "getmanifest", "isactionallowed")
    assert (METHODS.find(name).repeat == "read") == (name.rsplit(".")[-1].lower() in endings)


def test_the_table_is_what_its_script_makes_of_the_documentation():
    check = subprocess.run(
        [sys.executable, "ci/make_methods_table.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stderr) == (0, "")


def test_the_table_is_read_when_the_first_method_is_asked_for_and_only_then():
    program = textwrap.dedent(
        """
        import sys
        opened = []
        sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
        from airflow_provider_bitrix24.methods import METHODS
        assert not [path for path in opened if path.endswith("methods.txt")], "read at import"
        for name in ("crm.deal.list", "acme.report.build", "crm.deal.list"):
            METHODS.find(name)
        assert len([path for path in opened if path.endswith("methods.txt")]) == 1
        assert not {"airflow", "requests", "urllib3"} & sys.modules.keys(), "imports too much"
        """
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(methods_module) == (0, 2)
