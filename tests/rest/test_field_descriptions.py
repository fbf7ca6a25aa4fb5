"""What describes fields is asked for once per process and user, and again where a caller wants that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.rest import field_descriptions
from tests.rest.hostile import Hostile, client_of_hostile

DEALS, ITEMS = "crm.deal.fields", "crm.item.fields"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """The port of an earlier test's portal may come again."""
    field_descriptions._answers.clear()


@pytest.fixture
def portal() -> Iterator[Hostile]:
    """Each of its descriptions has a number; a method that does not describe fields answers a list."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"NUMBER": len(portal.asked)} if method.endswith(".fields") else []

    with Hostile(answer) as portal:
        yield portal


def test_a_description_is_asked_for_once_for_each_method_and_params(portal: Hostile) -> None:
    with client_of_hostile(portal) as first, client_of_hostile(portal) as second:
        assert first.described(DEALS) == second.described(DEALS, {}) == {"NUMBER": 1}
        assert first.described(ITEMS, {"entityTypeId": 2}) == {"NUMBER": 2}
        assert first.described(ITEMS, {"entityTypeId": 3}) == {"NUMBER": 3}
        assert second.described(ITEMS, {"entityTypeId": 2}) == {"NUMBER": 2}
    assert [params for _, params in portal.asked] == [{}, {"entityTypeId": 2}, {"entityTypeId": 3}]


def test_another_user_may_see_other_fields(portal: Hostile) -> None:
    with client_of_hostile(portal, user_id=1) as one, client_of_hostile(portal, user_id=2) as other:
        assert one.described(DEALS) != other.described(DEALS)


def test_a_fresh_description_is_what_all_get_from_then_on(portal: Hostile) -> None:
    with client_of_hostile(portal) as client:
        assert client.described(DEALS) == {"NUMBER": 1}
        assert client.described(DEALS, fresh=True) == {"NUMBER": 2}
        assert client.described(DEALS) == {"NUMBER": 2}


def test_an_answer_that_is_not_an_object_is_empty_and_not_kept(portal: Hostile) -> None:
    with client_of_hostile(portal) as client:
        assert client.described("acme.report.list") == client.described("acme.report.list") == {}
    assert len(portal.asked) == 2


def test_the_oldest_descriptions_are_forgotten(portal: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_descriptions, "_MOST_ANSWERS", 2)
    with client_of_hostile(portal) as client:
        for entity_type_id in (1, 2, 3):
            client.described(ITEMS, {"entityTypeId": entity_type_id})
        assert client.described(ITEMS, {"entityTypeId": 2}) == {"NUMBER": 2}
        assert client.described(ITEMS, {"entityTypeId": 1}) == {"NUMBER": 4}
