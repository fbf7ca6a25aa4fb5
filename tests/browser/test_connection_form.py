"""
The connection form and its Test button as people see them, in Chromium.

They need ``apt-get install chromium``, so they run only with ``BITRIX24_CHROMIUM=1``: ``make browser``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from airflow_provider_bitrix24.get_provider_info import EXTRA_FIELDS
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.browser.airflow_pages import ConnectionPages, chromium
from tests.whole_airflow import IS_2, WholeAirflow

pytestmark = pytest.mark.skipif("BITRIX24_CHROMIUM" not in os.environ, reason="BITRIX24_CHROMIUM is not set")
ANNA = "Anna Admin (user 1, administrator); scopes: "


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    settings = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.session",
    }
    with Sandbox(deals=1) as portal:
        whole = WholeAirflow(tmp_path_factory.mktemp("airflow") / "home", portal.connection_json(), settings)
        try:
            whole.serve_api()
            with chromium() as page:
                fields = portal.connection()
                host, _, port = fields["host"].removeprefix("https://").partition(":")
                yield SimpleNamespace(
                    whole=whole,
                    portal=portal,
                    page=page,
                    pages=ConnectionPages(page, whole.url),
                    webhook={"host": host, "port": port, "login": fields["login"], "password": fields["password"]},
                    port=port,
                    verify=fields["extra"],
                )
        finally:
            whole.stop()


def works_for_tasks(place, conn_id: str) -> bool:
    """Whether what Airflow has stored is accepted by the portal."""
    command = [sys.executable, "-m", "airflow_provider_bitrix24.check", conn_id]
    done = subprocess.run(command, env=place.whole.environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0


def test_each_kind_of_authorization_is_made_and_tested_by_its_fields_alone(place):
    application = place.portal.oauth_connection()
    tested = {
        "webhook": place.pages.make_and_test("webhook", place.webhook, place.verify),
        "pasted": place.pages.make_and_test(
            "pasted", {"password": place.portal.webhook(), "port": place.port}, place.verify
        ),
        "in_extra": place.pages.make_and_test(
            "in_extra", {"port": place.port}, {"webhook_url": place.portal.webhook(), **place.verify}
        ),
        "application": place.pages.make_and_test(
            "application", {"host": application["host"], "port": place.port}, application["extra"]
        ),
    }
    kinds = {**dict.fromkeys(tested, "webhook of "), "application": "application (status local) of "}
    for conn_id, (works, shown) in tested.items():
        assert works, shown
        assert shown.startswith(f"127.0.0.1: {kinds[conn_id]}{ANNA}"), shown
        assert works_for_tasks(place, conn_id), conn_id


def test_secrets_stay_stored_when_something_else_is_edited(place):
    application = place.portal.oauth_connection()
    place.pages.make_and_test("edited_webhook", place.webhook, place.verify)
    place.pages.make_and_test(
        "edited_application", {"host": application["host"], "port": place.port}, application["extra"]
    )
    for conn_id in ("edited_webhook", "edited_application"):
        for description in ("once", "twice"):
            place.pages.edit(conn_id)
            page = place.page.content()
            place.pages.fill({"description": description}, {})
            place.pages.save()
            for secret in (
                place.portal.admin.code,
                *(application["extra"][key] for key in ("client_secret", "refresh_token")),
            ):
                assert secret not in page
        assert works_for_tasks(place, conn_id), conn_id
    if IS_2:
        # Its page sends no stored secret to the test, and ours says so.
        for conn_id in ("edited_webhook", "edited_application"):
            place.pages.edit(conn_id)
            works, shown = place.pages.press_test()
            assert not works
            assert "the page of Airflow 2 sends no stored " in shown
            assert "write it again" in shown
    else:
        assert place.pages.press_test("edited_webhook")[0]
        assert place.pages.press_test("edited_application")[0]


def test_the_test_says_what_is_wrong_in_the_words_of_the_form(place):
    works, shown = place.pages.make_and_test("wrong_code", {**place.webhook, "password": "x" * 16}, place.verify)
    assert not works
    assert "Webhook user id or Webhook code is wrong" in shown
    works, shown = place.pages.make_and_test("no_portal", {"port": "443"}, {})
    assert (works, shown) == (
        False,
        "Portal (host) is missing: write the portal's address, e.g. my.bitrix24.com, into it",
    )


def test_the_form_says_when_the_test_needs_a_port(place):
    host = f"{place.webhook['host']}:{place.port}"
    no_port = {"host": host, "login": place.webhook["login"], "password": place.webhook["password"]}
    works, shown = place.pages.make_and_test("no_port", no_port, place.verify)
    assert works == IS_2, shown
    if IS_2:
        return
    assert shown == "Bad Request"
    place.pages.edit("no_port")
    port = place.page.get_by_role("dialog").locator("[name=port]")
    assert "Without a port, Airflow's Test button answers Bad Request" in port.get_attribute("placeholder")
    place.pages.fill({"port": place.port}, {})
    place.pages.save()
    works, shown = place.pages.press_test("no_port")
    assert works, shown


def test_the_extras_are_grouped(place):
    place.pages.begin("grouped")
    if IS_2:
        labels = [label.strip() for label in place.page.locator("label").all_inner_texts()]
        expected = [f"{field['schema']['section']}: {field['label']}" for field in EXTRA_FIELDS.values()]
        assert [label for label in labels if label in expected] == expected
    else:
        for field in EXTRA_FIELDS.values():
            place.pages.open_section(field["schema"]["section"])
            place.page.get_by_role("dialog").get_by_text(field["label"], exact=True).last.wait_for()
