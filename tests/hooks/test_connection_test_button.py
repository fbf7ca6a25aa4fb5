"""The Test button of Airflow 3: what its page sends to Airflow, for connections stored as the form stores them."""

from __future__ import annotations

import json

import pytest

from airflow_provider_bitrix24.get_provider_info import EXTRA_FIELDS, STANDARD_FIELDS
from tests.fixtures.airflow import AIRFLOW

app = pytest.importorskip("airflow.api_fastapi.app", reason="Airflow 2 has another page and another API")
knows_what_is_stored = pytest.mark.skipif(
    AIRFLOW < (3, 1), reason="Airflow 3.0 tests the *** of its page and not what is stored"
)


@pytest.fixture(scope="module")
def api(airflow_db):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    web = app.create_app(apps="core")
    token = web.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="anna", role="admin"))
    with TestClient(web, base_url="http://testserver/api/v2", headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.fixture
def pressed(api, monkeypatch):
    """``pressed(host=…, port=…)`` stores a connection and presses its Test button; status code and answer."""
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")

    def press(extra, **fields):
        # The form stores each extra, an empty one as null.
        extra = json.dumps(dict.fromkeys(EXTRA_FIELDS) | extra)
        added = api.post(
            "/connections", json={"connection_id": "b24", "conn_type": "bitrix24", "extra": extra, **fields}
        )
        assert added.status_code == 201, added.text
        stored = added.json()
        body = {name: stored[name] or "" for name in ("description", "host", "login", "password", "schema")}
        body |= {name: stored[name] for name in ("connection_id", "conn_type", "extra")}
        # In the page: Number(connection.port), which is 0 for null.
        answer = api.post("/connections/test", json=body | {"port": stored["port"] or 0})
        return answer.status_code, answer.json()

    yield press
    api.delete("/connections/b24")


def parts(portal):
    """Host, port, and the rest of a connection."""
    connection = portal.connection()
    host, _, port = connection["host"].removeprefix("https://").partition(":")
    return host, int(port), {name: connection[name] for name in ("login", "password", "extra")}


@knows_what_is_stored
def test_with_a_port_the_button_names_the_user(portal, pressed):
    host, port, rest = parts(portal)
    code, answer = pressed(host=host, port=port, **rest)
    assert (code, answer["status"]) == (200, True), answer
    assert answer["message"].startswith("127.0.0.1: webhook of Anna Admin (user 1, administrator)")


@knows_what_is_stored
def test_a_port_that_the_host_has_too_is_the_same(portal, pressed):
    host, port, rest = parts(portal)
    code, answer = pressed(host=f"https://{host}:{port}", port=port, **rest)
    assert (code, answer["status"]) == (200, True), answer


@knows_what_is_stored
def test_a_whole_address_as_webhook_code_needs_only_the_port(portal, pressed):
    code, answer = pressed(password=portal.webhook(), port=parts(portal)[1], extra=parts(portal)[2]["extra"])
    assert (code, answer["status"]) == (200, True), answer


@knows_what_is_stored
def test_an_application_needs_the_port_too(portal, pressed):
    connection = portal.oauth_connection()
    code, answer = pressed(host=connection["host"], port=parts(portal)[1], extra=connection["extra"])
    assert (code, answer["status"]) == (200, True), answer


@pytest.mark.skipif(AIRFLOW >= (3, 1), reason="newer ones put what is stored in the place of ***")
def test_airflow_3_0_tests_the_stars_of_its_page_and_the_message_says_so(portal, pressed):
    host, port, rest = parts(portal)
    code, answer = pressed(host=host, port=port, **rest)
    assert (code, answer["status"], portal.requests) == (200, False, 0)
    assert "is masked (***)" in answer["message"]


@pytest.mark.skipif(AIRFLOW < (3, 3), reason="older ones do not compare hosts and ports")
def test_without_a_port_airflow_refuses_before_it_asks_us_and_the_form_says_so(portal, pressed):
    host, port, rest = parts(portal)
    code, answer = pressed(host=f"{host}:{port}", **rest)
    assert (code, portal.requests) == (400, 0)
    assert "host or port to test differs" in answer["detail"]
    assert "port" not in STANDARD_FIELDS["hidden-fields"]
    assert "Bad Request" in STANDARD_FIELDS["placeholders"]["port"]
