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
def test_words_that_are_not_a_text_are_unknown_words(portal, ask, word):
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


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"FILTER": {"NAME_SEARCH": "ann adm"}}, [1]),
        ({"FILTER": {"NAME_SEARCH": "nobody"}}, []),
        ({"FILTER": {"FIND": "karl"}}, [7]),
        ({"FILTER": {"=%NAME": "An%"}}, [1]),
        ({"FILTER": {"@ID": [1, 7]}}, [1, 7]),
        ({"FILTER": {"UF_DEPARTMENT_NAME": "Company"}}, [1, 7]),
        ({"FILTER": {"UF_DEPARTMENT": 15}}, []),
        ({"FILTER": {"USER_TYPE": "extranet"}}, []),
    ],
)
def test_documented_filters_choose_users(ask, params, expected):
    with Sandbox(employees=0) as portal:
        assert ids(ask(portal, "user.get", params).json()) == expected
        assert ids(ask(portal, "user.search", params).json()) == expected


def test_selected_fields_of_users_alone_are_answered(portal, ask):
    (row, *_) = ask(portal, "user.get", {"select": ["ID", "EMAIL", "NONSENSE"]}).json()["result"]
    assert set(row) == {"ID", "EMAIL"}
    (row, *_) = ask(portal, "user.get", {"select": ["UF_*"]}).json()["result"]
    assert set(row) == {"UF_EMPLOYMENT_DATE", "UF_DEPARTMENT"}


def test_a_parameter_that_is_not_modelled_is_refused_and_not_ignored(portal, ask):
    answer = ask(portal, "user.get", {"IMAGE_RESIZE": "small"}).json()
    assert (answer["error"], "IMAGE_RESIZE" in answer["error_description"]) == ("NOT_MODELLED_BY_SANDBOX", True)


def test_a_user_is_added_and_changed(portal, ask):
    new = {"EMAIL": "new@example.com", "NAME": "Nina", "WORK_POSITION": "Boss", "UF_DEPARTMENT": [15], "NONSENSE": 1}
    user_id = ask(portal, "user.add", new).json()["result"]
    (row,) = ask(portal, "user.get", {"ID": user_id}).json()["result"]
    assert (row["NAME"], row["WORK_POSITION"], row["UF_DEPARTMENT"]) == ("Nina", "Boss", [15])
    assert ids(ask(portal, "user.get", {"FILTER": {"UF_DEPARTMENT_NAME": "Sales"}}).json()) == [user_id]
    change = {"ID": user_id, "LAST_NAME": "Noll", "ACTIVE": "N", "PERSONAL_CITY": "Bonn"}
    assert ask(portal, "user.update", change).json()["result"] is True
    (row,) = ask(portal, "user.get", {"FILTER": {"PERSONAL_CITY": "Bonn"}}).json()["result"]
    assert (row["LAST_NAME"], row["ACTIVE"], row["WORK_POSITION"]) == ("Noll", False, "Boss")
    again = ask(portal, "user.add", new).json()
    assert again["error_description"] == "A user with this email already exists"
    assert ask(portal, "user.add", {"EMAIL": "x@y.z"}, portal.clerk).json()["error_description"] == "access_denied"


def test_the_company_itself_is_found_by_parent_0(portal, ask):
    assert [row["ID"] for row in ask(portal, "department.get", {"PARENT": 0}).json()["result"]] == ["1"]
