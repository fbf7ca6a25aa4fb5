"""Any method, a batch and a whole list by operators."""

from __future__ import annotations

import datetime
import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import (
    Bitrix24BatchOperator,
    Bitrix24ListOperator,
    Bitrix24Operator,
)
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from tests.operators.context import context


def run(operator: type, *, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(given or context())


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


# Any method


def test_the_result_of_any_method_goes_to_xcom(portal, connection):
    item = run(Bitrix24Operator, method="crm.item.get", method_params={"entityTypeId": 2, "id": 1})["item"]
    assert item["id"] == 1
    assert portal.calls[-1].params == {"entityTypeId": 2, "id": 1}


@pytest.mark.parametrize(
    ("method", "params", "names"),
    [
        ("crm.contact.update", {"ID": 1, "fields": {"PHONE": [{"VALUE": "+1"}], "EMAIL": [{"VALUE": "a@b.example"}]}},
         "PHONE, EMAIL"),
        ("crm.company.update", {"ID": 1, "FIELDS": {"WEB": {"n0": {"VALUE": "b.example"}}}}, "WEB"),
        ("crm.item.update", {"entityTypeId": 3, "id": 1, "fields": {"fm": [{"typeId": "PHONE", "value": "+1"}]}}, "fm"),
    ],
)  # fmt: skip
def test_an_update_that_adds_entries_again_is_warned_of(method, params, names, portal, connection, all_output):
    warning = f"{method} adds what {names} has each time that it is called, also where the item has it already"
    run(Bitrix24Operator, method=method, method_params=params)
    run(Bitrix24BatchOperator, commands={"a": [method, params], "b": [method, params]})
    assert f"{all_output.records}{all_output.printed}".count(warning) == 2
    assert portal.executed(method) == 3


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("crm.contact.update", {"ID": 1, "fields": {"PHONE": [{"ID": 1, "VALUE": "+1"}], "NAME": "Ann"}}),
        ("crm.contact.add", {"fields": {"NAME": "Ann", "PHONE": [{"VALUE": "+1"}]}}),
        ("crm.item.update", {"entityTypeId": 3, "id": 1, "fields": {"fm": {"1": {"value": "+1"}}}}),
    ],
)
def test_what_adds_no_entry_again_is_not_warned_of(method, params, portal, connection, all_output):
    run(Bitrix24Operator, method=method, method_params=params)
    assert "each time that it is called" not in f"{all_output.records}{all_output.printed}"


MISSPELT = {
    "filters": ("crm.deal.list", {"filters": {"ID": 1}}, "filter"),
    "a letter lost": ("crm.deal.list", {"fiter": {"ID": 1}}, "filter"),
    "letters swapped": ("crm.contact.list", {"FITLER": {"ID": 1}, "select": ["ID"]}, "filter"),
    "as text": ("crm.deal.list", {"filters": '{"ID": 1}'}, "filter"),
    "an empty one": ("crm.deal.list", {"filters": {}}, "filter"),
    "capitals in old users": ("user.get", {"FILTERS": {"ID": 1}}, "FILTER"),
    "capitals for a controller": ("crm.item.list", {"entityTypeId": 2, "FILTER": {"id": 1}}, "filter"),
    "tasks": ("tasks.task.list", {"Filter": {"ID": 1}}, "filter"),
}


@pytest.mark.parametrize(("method", "params", "meant"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_filter_does_not_return_everything(method, params, meant, portal, connection):
    written = next(name for name in params if name.lower().startswith("fi"))
    message = (
        f"{method}: '{written}' in %s is not a parameter of this method: the portal would ignore it and return every"
    )
    alone = failure_of(Bitrix24Operator, method=method, method_params=params)
    assert message % "method_params" in alone
    assert f"did you mean {meant}?" in alone
    batch = failure_of(Bitrix24BatchOperator, commands={"me": ["profile"], "them": [method, params]})
    assert message % "commands[them]" in batch
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("method", "params", "meant"),
    [
        ("crm.deal.list", {"filter": {"TITEL": "x"}}, "did you mean TITLE"),
        ("crm.contact.list", {"select": ["ID", "NAMME"]}, "did you mean NAME"),
        ("crm.lead.list", {"order": {"CREATED": "ASC"}}, "order names 'CREATED', which is not a field here"),
        ("crm.company.list", {"filter": {">=DATE_MODIFY": "yesterday"}}, "is 'yesterday', which is not a date"),
        ("user.get", {"EMIAL": "ann@example.com"}, "did you mean EMAIL"),
        ("tasks.task.list", {"filter": {"RESPONSIBLE": 1}}, "did you mean RESPONSIBLE_ID"),
    ],
)
def test_a_list_that_is_called_by_itself_or_in_a_batch_refuses_names_that_the_portal_drops(
    method, params, meant, portal, connection
):
    commands = {"mine": [method, params]}
    assert meant in failure_of(Bitrix24Operator, method=method, method_params=params)
    assert meant in failure_of(Bitrix24BatchOperator, commands=commands)
    assert "the command 'mine'" in failure_of(Bitrix24BatchOperator, commands=commands)
    assert meant in failure_of(Bitrix24Sensor, method=method, method_params=params, condition="any row")
    assert portal.count(method) == 0
    run(Bitrix24Operator, method=method, method_params=params, check_fields=False)
    run(Bitrix24BatchOperator, commands=commands, check_fields=False)
    assert portal.count(method) == 2


@pytest.mark.parametrize("name", ["filter", "FILTER", "Filter"])
def test_old_methods_read_a_filter_in_any_case(name, portal, connection):
    (deal,) = run(Bitrix24Operator, method="crm.deal.list", method_params={name: {"ID": 1}, "select": ["ID"]})
    assert deal == {"ID": "1"}


LARGE = json.dumps({"result": {"item": {"id": 7, "text": "x" * 60_000}}}).encode()


@pytest.mark.parametrize("method", ["crm.deal.get", "crm.deal.add", "profile", "crm.contact.update"])
def test_a_result_that_is_too_large_for_xcom_fails_without_retry(method, portal, connection):
    portal.fault("body", method, body=LARGE, times=None)
    params = {"id": 7, **({"fields": {"TITLE": "x"}} if method.endswith(("add", "update")) else {})}
    with pytest.raises(AirflowFailException) as caught:
        run(Bitrix24Operator, method=method, method_params=params, check_fields=False)
    message = str(caught.value)
    assert f"{method}: done, but the result is larger than 48 KiB, too large for XCom: return a part of it" in message
    assert portal.count(method) == 1
    part = {"result_path": "item.id", "response_filter": lambda id_: id_ + 1}
    assert run(Bitrix24Operator, method=method, method_params=params, check_fields=False, **part) == 8


def test_a_batch_that_is_too_large_for_xcom_fails_and_a_failed_one_reports_its_errors(portal, connection):
    fields = {"title": "Oak", "comments": "x" * 30_000}
    ids = [portal.add_deals(1, **fields)[0] for _ in range(2)]
    commands = {f"c{id_}": ["crm.deal.get", {"ID": id_}] for id_ in ids}
    with pytest.raises(AirflowFailException, match="batch: done, but the result is larger than 48 KiB"):
        run(Bitrix24BatchOperator, commands=commands)
    given = context()
    with pytest.raises(AirflowFailException):
        run(Bitrix24BatchOperator, given=given, commands={**commands, "no": ["crm.deal.get", {"ID": 999_999}]})
    outcome = given["ti"].pushed["bitrix24_batch"]
    assert outcome["results"] is None
    assert list(outcome["errors"]) == ["no"]


def test_a_batch_as_any_method_is_refused_since_nobody_would_see_its_failed_commands(portal, connection):
    failure = failure_of(Bitrix24Operator, method="batch", method_params={"cmd": {"a": "crm.item.get?id=0"}})
    assert failure == "method is batch, whose failed commands would go unnoticed here: use Bitrix24BatchOperator"
    assert portal.requests == 0


IMPORT = {"entityTypeId": 4, "data": [{"title": "x", "assignedById": "y"}]}


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24Operator, {"method": "crm.item.batchImport", "method_params": IMPORT}),
        (Bitrix24BatchOperator, {"commands": {"a": ["crm.item.batchimport", IMPORT]}}),
        (Bitrix24BulkWriteOperator, {"method": "crm.item.batchImport", "rows": [IMPORT]}),
        (Bitrix24BulkWriteOperator, {"method": "CRM.ITEM.BATCHIMPORT", "rows": [IMPORT], "dry_run": True}),
    ],
)
def test_an_import_as_any_method_is_refused_since_nobody_would_see_its_failed_items(
    operator, arguments, portal, connection
):
    failure = failure_of(operator, **arguments)
    assert "whose failed items would go unnoticed here: use Bitrix24ImportItemsOperator" in failure
    assert portal.requests == 0


def test_a_lost_answer_of_a_method_without_a_family_says_to_look_at_the_portal(portal, connection):
    portal.fault("reset_after", "batch")
    with pytest.raises(AnswerLost, match="it may have been done: check at the portal before you run this again"):
        Bitrix24Hook().call("batch", {"cmd": {"a": "crm.item.add?entityTypeId=2"}})


def test_params_may_be_json_text_since_templates_make_text_of_objects(portal, connection):
    arguments = {"method": "crm.item.get", "method_params": '{"entityTypeId": 2, "id": 1}', "result_path": "item.id"}
    assert run(Bitrix24Operator, **arguments) == 1


def test_version_three_is_another_address(portal, connection):
    assert run(Bitrix24Operator, method="tasks.task.list", version=3, result_path="items.0.id") == 1
    assert portal.calls[-1].path.startswith("/rest/api/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "crm.item.get", "method_params": "[1]"}, "method_params is not an object"),
        ({"method": "crm.item.get", "method_params": "{"}, "method_params is not an object"),
        ({"method": "crm.item.get", "version": 4}, "version is 4: write one of: 2, 3"),
        ({"method": "https://my.bitrix24.com/rest/"}, "the name of the method is not valid"),
        ({"method": "crm deal get"}, "the name of the method is not valid"),
    ],
)
def test_wrong_arguments_fail_without_a_retry_and_nothing_is_sent(arguments, message, portal, connection):
    assert message in failure_of(Bitrix24Operator, **arguments)
    assert portal.requests == 0


def test_a_result_without_the_wanted_part_fails_and_names_it(portal, connection):
    failure = failure_of(Bitrix24Operator, method="profile", result_path="NAME.first")
    assert "the result has no 'first' of result_path 'NAME.first'" in failure


def test_a_check_that_refuses_what_was_read_may_be_retried(portal, connection):
    with pytest.raises(Bitrix24Error, match="response_check refused"):
        run(Bitrix24Operator, method="profile", response_check=lambda result: result["ADMIN"] is False)


def test_a_check_that_refuses_what_was_added_is_not_retried_since_it_would_be_added_again(portal, connection):
    params = {"entityTypeId": 4, "fields": {"title": "Acme"}}
    arguments = {"method": "crm.item.add", "method_params": params, "response_check": lambda result: False}
    assert "response_check refused" in failure_of(Bitrix24Operator, **arguments)
    assert portal.executed("crm.item.add") == 1


def test_a_filter_gives_what_goes_to_xcom(portal, connection):
    assert run(Bitrix24Operator, method="profile", response_filter=lambda result: result["ID"]) == "1"


def test_no_right_fails_without_a_retry_and_a_limit_is_left_to_retries(portal, connect):
    connect(portal.clerk)
    arguments = {"method": "crm.item.payment.delete", "method_params": {"id": portal.add_payment(1)}}
    assert "ACCESS_DENIED" in failure_of(Bitrix24Operator, **arguments)
    portal.fault("operation_time_limit", method="profile", times=None)
    with pytest.raises(OperationTimeLimit):
        run(Bitrix24Operator, method="profile")


# Batch


def test_a_batch_tells_results_and_errors_by_name(portal, connection):
    commands = {"here": ["crm.deal.get", {"id": 1}], "gone": {"method": "crm.deal.get", "params": {"id": 99999}}}
    outcome = run(Bitrix24BatchOperator, commands=commands, on_error="continue")
    assert outcome["results"]["here"]["ID"] == "1"
    assert outcome["errors"]["gone"]["error"] == "NotFound"
    assert json.loads(json.dumps(outcome)) == outcome


def test_a_failed_command_fails_the_task_and_the_outcome_is_kept(portal, connection):
    given = context()
    with pytest.raises(AirflowFailException, match="of 2 commands 1 failed"):
        run(Bitrix24BatchOperator, given=given, commands={"a": ["profile"], "b": ["crm.deal.get", {"id": 99999}]})
    assert given["ti"].pushed["bitrix24_batch"]["results"]["a"]["ID"] == "1"


def test_a_batch_that_added_something_is_not_retried_for_a_limit_of_another_command(portal, connection):
    portal.fault("operation_time_limit", method="crm.deal.get", times=None)
    commands = {
        "add": ["crm.item.add", {"entityTypeId": 4, "fields": {"title": "x"}}],
        "get": ["crm.deal.get", {"id": 1}],
    }
    failure = failure_of(Bitrix24BatchOperator, commands=commands)
    assert "not to be done twice: add" in failure
    assert portal.executed("crm.item.add") == 1


def test_a_batch_that_only_read_is_left_to_retries_when_a_limit_refused(portal, connection):
    portal.fault("operation_time_limit", method="crm.deal.get", times=None)
    with pytest.raises(Bitrix24Error):
        run(Bitrix24BatchOperator, commands={"me": ["profile"], "get": ["crm.deal.get", {"id": 1}]})


@pytest.mark.parametrize("returned", [object(), b"x", float("nan"), {"a": {1: print}}, [float("inf")]])
def test_what_xcom_cannot_keep_is_said_after_an_add_that_no_retry_repeats(returned, portal, connection):
    with pytest.raises(AirflowFailException, match=r"crm.deal.add: done, but the result cannot go to XCom \("):
        run(
            Bitrix24Operator,
            method="crm.deal.add",
            method_params={"fields": {"TITLE": "x"}},
            response_filter=lambda result: returned,
        )
    assert portal.executed("crm.deal.add") == 1


def test_what_airflow_can_keep_goes_to_xcom(portal, connection):
    for returned in ({1, 2}, datetime.datetime.now(datetime.timezone.utc), Decimal("1.1"), ("a", 1)):
        assert run(Bitrix24Operator, method="profile", response_filter=lambda result, r=returned: r) == returned


@pytest.mark.parametrize("method", ["crm.deal.update", "crm.contact.update", "crm.quote.update", "crm.item.update"])
@pytest.mark.parametrize("result", [False, None])
@pytest.mark.parametrize("in_a_batch", [False, True])
def test_an_update_that_answers_false_is_not_done(method, result, in_a_batch, portal, connection):
    portal.answers[method] = result
    name = "title" if ".item." in method else "NAME" if ".contact." in method else "TITLE"
    params = {"entityTypeId": 2, "id": 1, "fields": {name: "x"}}
    if in_a_batch:
        message = failure_of(Bitrix24BatchOperator, commands={"a": [method, params]})
    else:
        message = failure_of(Bitrix24Operator, method=method, method_params=params)
    says = "the portal refused without a reason" if result is False else "its result is null and not"
    assert says in message


def test_references_are_taken_for_such_only_when_asked(portal, connection):
    commands = {"a": ["crm.deal.get", {"id": 7}], "b": ["crm.deal.get", {"id": "$result[a][ID]"}]}
    assert run(Bitrix24BatchOperator, commands=commands, references=True)["results"]["b"]["ID"] == "7"
    assert run(Bitrix24BatchOperator, commands=commands, on_error="continue")["errors"]["b"]


def test_halt_leaves_the_rest_not_run(portal, connection):
    commands = {"bad": ["crm.deal.get", {"id": 99999}], "rest": ["profile"]}
    outcome = run(Bitrix24BatchOperator, commands=commands, halt=True, on_error="continue")
    assert outcome["not_run"] == ["rest"]


@pytest.mark.parametrize("commands", [["profile"], {"a": 7}, {"a": {"method": "x", "parms": {}}}, {"a": ["m", 1]}])
def test_what_is_not_a_command_is_refused(commands, portal, connection):
    failure_of(Bitrix24BatchOperator, commands=commands)
    assert portal.requests == 0


# List


def test_a_small_list_goes_to_xcom_whole(portal, connection):
    rows = run(Bitrix24ListOperator, method="crm.deal.list", method_params={"select": ["ID"]})
    assert [row["ID"] for row in rows] == [str(number) for number in range(1, 31)]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"response_filter": "lambda r: r"}, "response_filter is not a function, but 'lambda r: r': write e.g."),
        ({"response_check": True}, "response_check is not a function, but True"),
        ({"result_path": ["item", "id"]}, "result_path is ['item', 'id']: write e.g."),
    ],
)
def test_what_cannot_read_the_result_is_reported_before_the_method_is_called(argument, message, portal, connection):
    assert message in failure_of(Bitrix24Operator, method="profile", **argument)
    assert portal.connections == 0


@pytest.mark.parametrize("place", [0, "0"])
def test_the_first_of_a_result_is_taken_by_its_place(place, portal, connection):
    result = run(Bitrix24Operator, method="crm.deal.list", result_path=place)
    assert result["ID"] == "1"


@pytest.mark.parametrize(("references", "warned"), [(False, True), (True, False)])
def test_a_reference_that_is_sent_as_text_is_warned_of(references, warned, portal, connection, all_output):
    commands = {"me": ["profile"], "deals": ["crm.deal.list", {"filter": {"ASSIGNED_BY_ID": "$result[me][ID]"}}]}
    result = run(Bitrix24BatchOperator, commands=commands, references=references)
    assert bool(result["results"]["deals"]) is references
    said = f"{all_output.records}{all_output.printed}"
    assert ("The command 'deals' has a value such as $result[…], which is sent as text" in said) is warned
    assert "The command 'me'" not in said


def test_a_list_too_large_for_xcom_fails_and_names_destination(portal, connection):
    portal.add_deals(200)
    failure = failure_of(Bitrix24ListOperator, method="crm.deal.list")
    assert "larger than 48 KiB" in failure
    assert "destination" in failure


def test_a_limit_cuts_the_list(portal, connection):
    assert len(run(Bitrix24ListOperator, method="crm.deal.list", limit="7")) == 7


@pytest.mark.parametrize("address", ["{}/deals.jsonl", "file://{}/new/deals.jsonl"])
def test_rows_go_to_a_file_as_json_lines_with_a_report(address, tmp_path, portal, connection):
    destination = address.format(tmp_path)
    result = run(Bitrix24ListOperator, method="crm.deal.list", destination=destination)
    file = next(tmp_path.rglob("deals.jsonl"))
    assert [json.loads(line)["ID"] for line in file.read_text().splitlines()] == [str(n) for n in range(1, 31)]
    assert (result["rows"], result["bytes"]) == (30, file.stat().st_size)
    assert result["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert result["report"]["complete"] is True
    assert json.loads(json.dumps(result)) == result


def test_a_list_that_breaks_off_leaves_no_file_and_a_retry_writes_it_whole(tmp_path, portal, connection):
    portal.add_deals(200)
    fault = portal.fault("error", method="crm.deal.list", after=1, times=None, code="ACCESS_DENIED", status=403)
    destination = str(tmp_path / "deals.jsonl")
    failure_of(Bitrix24ListOperator, method="crm.deal.list", destination=destination)
    assert fault.hits
    assert not (tmp_path / "deals.jsonl").exists()
    portal.clear_faults()
    assert run(Bitrix24ListOperator, method="crm.deal.list", destination=destination)["rows"] == 230
    assert [file.name for file in tmp_path.iterdir()] == ["deals.jsonl"]


@pytest.mark.parametrize("destination", ["", "file:///", "nosuchscheme://x/y.jsonl"])
def test_a_destination_that_is_not_a_file_is_refused_before_anything_is_sent(destination, portal, connection):
    assert "destination" in failure_of(Bitrix24ListOperator, method="crm.deal.list", destination=destination)
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24ListOperator, {"method": "crm.deal.list", "params": {"filter": {"STAGE_ID": "WON"}}}),
        (Bitrix24ListOperator, {"method": "crm.item.list", "params": {"entityTypeId": 2}, "limit": 5}),
        (Bitrix24Operator, {"method": "crm.deal.get", "params": {"ID": 1}}),
        (Bitrix24Operator, {"method": "user.get", "params": {"FILTER": {"ACTIVE": True}}, "result_path": "0"}),
    ],
)
def test_params_of_airflow_are_not_taken_for_those_of_the_method(operator, arguments, portal, connection):
    """The whole list came, without the filter."""
    failure = failure_of(operator, **arguments)
    assert "is Airflow's, and the method would be called without them: give the method's parameters" in failure
    assert portal.requests == 0


@pytest.mark.parametrize("method", ["crm.deal.update.json", " crm.deal.update ", "CRM.deal.Update"])
def test_a_command_is_checked_whatever_spelling_its_method_has(method, portal, connection):
    commands = {"a": [method, {"id": 1, "fields": {"TITEL": "x"}}]}
    with pytest.raises(AirflowFailException, match="did you mean TITLE"):
        Bitrix24BatchOperator(task_id="task", commands=commands).execute({})
    assert portal.count("crm.deal.update") == 0
