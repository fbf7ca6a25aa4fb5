from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


def ids(answer):
    return [int(row["ID"]) for row in answer["result"]]


@pytest.mark.parametrize("spelling", ["filter", "FILTER"])
def test_dismissed_users_stay_away_only_when_asked(ask, spelling):
    with Sandbox(employees=20) as portal:
        everybody = ask(portal, "user.get").json()
        active = ask(portal, "user.get", {spelling: {"ACTIVE": True}}).json()
        assert everybody["total"] == 22
        assert set(ids(everybody)) - set(ids(active)) == {15, 20, 25, 30}
        assert ask(portal, "user.get", {"ACTIVE": "False"}).json()["total"] == 0


def test_users_are_sorted_by_plain_words_and_paged(ask):
    with Sandbox(employees=60) as portal:
        answer = ask(portal, "user.get", {"SORT": "ID", "ORDER": "DESC"}).json()
        assert (len(answer["result"]), ids(answer)[0], answer["next"]) == (50, 70, 50)
        keyset = {"filter": {">ID": 60}, "SORT": "ID", "ORDER": "ASC", "start": -1}
        assert ids(ask(portal, "user.get", keyset).json()) == list(range(61, 71))


@pytest.mark.parametrize("word", [["ID"], {"ID": "ASC"}, [None]])
def test_words_that_are_no_text_are_unknown_words(portal, ask, word):
    assert ids(ask(portal, "user.get", {"SORT": word}).json()) == ids(ask(portal, "user.get").json())
    assert ask(portal, "feature.get", {"CODE": word}).json()["result"] == {"value": "N"}


def test_an_employee_without_a_webhook_cannot_call(portal, http):
    answer = http.post(f"{portal.url}/rest/11/code/profile", verify=portal.ca_file).json()
    assert answer["error"] == "INVALID_CREDENTIALS"


def test_departments_are_filtered_beside_sort_and_order(portal, ask):
    answer = ask(portal, "department.get", {"sort": "NAME", "order": "DESC", "PARENT": 1}).json()
    assert [row["NAME"] for row in answer["result"]] == ["Sales", "Accounting"]
    command = "department.get?ID=$result[me][UF_DEPARTMENT][0]"
    result = ask(portal, "batch", {"cmd": {"me": "user.current", "mine": command}}).json()["result"]
    assert result["result"]["mine"][0]["NAME"] == "Company"
    assert result["result_total"] == {"mine": 1}
