"""Assertions about what a portal received."""

from __future__ import annotations

import re

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox

UPDATE = "crm.item.update"


@pytest.fixture(scope="module")
def portal():
    with Sandbox(deals=5) as portal:
        yield portal


@pytest.fixture(autouse=True)
def updated(portal, ask):
    """Deal 3 was updated, and deal 999 was not, for there is none."""
    portal.reset_calls()
    for deal in (3, 999):
        ask(portal, UPDATE, {"entityTypeId": "2", "id": deal, "fields": {"title": "New", "opportunity": 5}})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"id": 3},
        {"ID": "3", "entityTypeId": 2},
        {"fields": {"title": "New"}},
        {"times": 1, "fields": {"opportunity": "5"}},
    ],
)
def test_a_call_that_took_effect_is_found_by_some_of_its_parameters(portal, params):
    portal.assert_called(UPDATE, **params)
    portal.assert_called("CRM.Item.Update", **params)


@pytest.mark.parametrize(
    "params",
    [{"id": 4}, {"id": 999}, {"id": 3, "x": 1}, {"fields": {"title": "Old"}}, {"times": 2}, {"id": [3]}, {"times": 0}],
)
def test_what_was_not_done_is_reported_with_what_was(portal, params):
    with pytest.raises(AssertionError) as raised:
        portal.assert_called(UPDATE, **params)
    assert "'id': 3, 'fields': {'title': 'New', 'opportunity': 5}}: done" in str(raised.value)
    assert "refused with 'NOT_FOUND'" in str(raised.value)


def test_a_command_of_a_batch_is_a_call(portal, ask):
    ask(portal, "batch", {"cmd": {"a": "crm.deal.get?id=2", "b": "crm.deal.get?id=2"}})
    portal.assert_called("crm.deal.get", times=2, id=2)


def test_what_must_not_be_called_is_found_even_when_refused(portal):
    portal.assert_not_called("crm.item.delete")
    with pytest.raises(AssertionError, match=r"crm\.item\.update should not have been called"):
        portal.assert_not_called(UPDATE)


def test_a_method_that_was_never_called_is_reported_beside_those_that_were(portal):
    with pytest.raises(
        AssertionError, match=r"did not take effect\. It was not called\. Called were: crm.item.update\."
    ):
        portal.assert_called("crm.item.delete", id=1)


def test_no_token_is_reported(portal, http):
    token = portal.application().grant()["access_token"]
    http.post(f"{portal.url}/rest/crm.deal.get", json={"id": 1, "auth": token}, verify=portal.ca_file, timeout=10)
    with pytest.raises(AssertionError) as raised:
        portal.assert_called("crm.deal.get", id=2)
    assert "'id': 1" in str(raised.value)
    assert token not in str(raised.value)


def test_calls_that_are_alike_are_one_line_and_the_last_ones_are_reported(portal, ask):
    portal.reset_calls()
    for deal in (*range(1, 5), *[5] * 9, *range(6, 15)):
        ask(portal, "crm.deal.get", {"id": deal})
    with pytest.raises(AssertionError) as raised:
        portal.assert_not_called("crm.deal.get")
    lines = str(raised.value).splitlines()
    assert lines[0].endswith("It was called with")
    assert lines[1:3] == ["  4 others, and", "  {'id': 5}: done (9 times)"]
    assert len(lines) == 12
    assert lines[-1] == "  {'id': 14}: refused with ''"


@pytest.mark.parametrize("asked", ["count", "executed", "assert_called", "assert_not_called", "fault"])
def test_a_slip_in_the_name_of_a_method_is_named_wherever_it_would_pass_unseen(portal, asked):
    slip = ("reset_after", "crm.itm.delete") if asked == "fault" else ("crm.itm.delete",)
    with pytest.raises(ValueError, match=r"no method 'crm\.itm\.delete': write crm\.item\.delete"):
        getattr(portal, asked)(*slip)


def test_a_slip_in_the_name_of_a_method_does_not_pass_for_not_called(portal):
    with pytest.raises(ValueError, match=r"no method 'crm\.item\.payment\.delette': write crm\.item\.payment\.delete"):
        portal.assert_not_called("crm.item.payment.delette")
    for name in ("CRM.Item.Payment.Delete", "batch", "disk.folder.getchildren", "crm.lead.productrows.set"):
        portal.assert_not_called(name)


@pytest.mark.parametrize(
    ("slip", "hint"),
    [
        ("crm.itm.*", "write crm.item.*."),
        ("payment.*", "write *.payment.*."),
        ("payment.delete", "write crm.item.payment.delete or sale.payment.delete."),
        ("", "give a name or a pattern, such as 'crm.item.payment.*'."),
        (None, "give a name or a pattern, such as 'crm.item.payment.*'."),
        (["profile"], "give a name or a pattern, such as 'crm.item.payment.*'."),
    ],
)
def test_so_is_a_pattern_that_nothing_matches_and_the_end_of_a_name(portal, slip, hint):
    with pytest.raises(ValueError, match=re.escape(hint)):
        portal.fault("reset_after", slip)
    portal.fault("reset_after", "acme.report.*")
    portal.clear_faults()


def test_a_pattern_is_asked_for_like_a_name(portal, ask):
    ask(portal, "crm.deal.get", {"id": 2})
    assert (portal.count("crm.*.update"), portal.executed("crm.*.update"), portal.count("CRM.*")) == (2, 1, 3)
    portal.assert_called("crm.*", times=2)
    portal.assert_called("crm.item.*", id=3)
    portal.assert_not_called("crm.item.payment.*")
    with pytest.raises(
        AssertionError, match=r"(?s)crm\.item\.update \{'entityTypeId'.*crm\.deal\.get \{'id': 2\}: done"
    ):
        portal.assert_not_called("crm.*")


@pytest.mark.parametrize("times", [-1, "1", True])
def test_times_that_cannot_be_are_not_a_failed_assertion(portal, times):
    with pytest.raises(ValueError, match="is not valid: give a number of calls, or leave it out for at least one"):
        portal.assert_called(UPDATE, times=times)


@pytest.mark.parametrize("asked", ["items", "item", "remove_item", "add_items"])
def test_a_kind_of_objects_that_is_not_there_is_named(portal, asked):
    more = () if asked == "items" else (1,)
    with pytest.raises(LookupError, match="no kind 'deal' of CRM objects: choose one of 1, 2, 3, 4, 7, 31, 128"):
        getattr(portal, asked)("deal", *more)
