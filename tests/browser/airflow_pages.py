"""Airflow's own pages, 2.11 and 3, in Chromium: what a person does there with a connection."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.get_provider_info import EXTRA_FIELDS
from tests.whole_airflow import IS_2

#: The longest that a page may take on a computer with much else to do.
PATIENCE_MS = 60_000


@contextlib.contextmanager
def chromium(width: int = 1280, height: int = 1000) -> Iterator[Any]:
    """Open a page in the Chromium of the system, e.g. that of ``apt-get install chromium``."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is not installed: apt-get install chromium"
    # Chromium's own sandbox does not work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


class ConnectionPages3:
    """The list of connections and their form in Airflow 3.3, whose Test button is in the list."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.form = page.get_by_role("dialog")

    def begin(self, conn_id: str) -> None:
        """Open the form of a new connection."""
        self._open_list()
        self.page.get_by_role("button", name="Add Connection").first.click()
        self.form.locator("[name=connection_id]").fill(conn_id)
        self.form.get_by_role("combobox").first.click()
        self.page.keyboard.type("Bitrix24")
        self.page.keyboard.press("Enter")
        self.form.locator("[name=host]").wait_for()

    def edit(self, conn_id: str) -> None:
        """Open the form of a connection that is stored."""
        self._open_list()
        self._row(conn_id).get_by_role("button", name="Edit Connection").click()
        self.form.locator("[name=host]").wait_for()

    def fill(self, fields: Mapping[str, str], extras: Mapping[str, str]) -> None:
        for name, value in fields.items():
            self.form.locator(f"[name={name}]").fill(value)
        for name, value in extras.items():
            schema = EXTRA_FIELDS[name]["schema"]
            self.open_section(schema["section"])
            if "enum" in schema:
                self.form.locator(f"[name=element_{name}]").locator("xpath=..").get_by_role("combobox").click()
                self.page.get_by_role("option", name=schema.get("values_display", {}).get(value, value)).click()
            else:
                self.form.locator(f"[name=element_{name}]").fill(value)

    def open_section(self, name: str) -> None:
        section = self.form.get_by_role("button", name=name, exact=True)
        if section.get_attribute("aria-expanded") != "true":
            section.click()

    def save(self) -> None:
        with self.page.expect_response(lambda answer: answer.request.method in ("POST", "PATCH")) as answer:
            self.form.get_by_role("button", name="Save").click()
        assert answer.value.ok, answer.value.text()
        self.form.wait_for(state="hidden")

    def press_test(self, conn_id: str) -> tuple[bool, str]:
        """Press Test of a stored connection: whether it works, and what the page shows."""
        self._open_list()
        with self.page.expect_response("**/connections/test") as answer:
            self._row(conn_id).get_by_role("button", name="Test Connection").click()
        shown = self.page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection")
        shown.wait_for()
        title, _, text = shown.inner_text().partition("\n")
        works = answer.value.ok and bool(answer.value.json()["status"])
        assert title == f"Test Connection {'Successful' if works else 'Failed'}"
        return works, text

    def make_and_test(self, conn_id: str, fields: Mapping[str, str], extras: Mapping[str, str]) -> tuple[bool, str]:
        self.begin(conn_id)
        self.fill(fields, extras)
        self.save()
        return self.press_test(conn_id)

    def _open_list(self) -> None:
        self.page.goto(f"{self.url}/connections")
        self.page.get_by_role("button", name="Add Connection").first.wait_for()

    def _row(self, conn_id: str) -> Any:
        return self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))


class ConnectionPages2:
    """The same in Airflow 2.11, whose Test button is in the form and sends what is written there."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        page.goto(f"{url}/login/")
        page.fill("#username", "u")
        page.fill("#password", "p")
        page.click("input[type=submit]")
        page.wait_for_url(lambda address: "/login" not in address)

    def begin(self, conn_id: str) -> None:
        self.page.goto(f"{self.url}/connection/add")
        # The list of types is under a widget.
        self.page.select_option("#conn_type", "bitrix24", force=True)
        self.page.fill("#conn_id", conn_id)

    def edit(self, conn_id: str) -> None:
        self.page.goto(f"{self.url}/connection/list/")
        row = self.page.locator("tr").filter(has=self.page.get_by_text(conn_id, exact=True))
        row.locator("a[href*='/connection/edit/']").click()
        self.page.locator("#test-connection").wait_for()

    def fill(self, fields: Mapping[str, str], extras: Mapping[str, str]) -> None:
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)
        for name, value in extras.items():
            self.page.fill(f"#extra__bitrix24__{name}", value)

    def save(self) -> None:
        with self.page.expect_response(lambda answer: answer.request.method == "POST") as answer:
            self.page.get_by_role("button", name="Save").click()
        # It goes on to the page before the form; a form that is refused is answered at once.
        assert answer.value.status == 302
        self.page.wait_for_load_state()

    def press_test(self) -> tuple[bool, str]:
        """Press Test in the open form: whether it works, and what the page shows."""
        with self.page.expect_response("**/connections/test") as answer:
            self.page.click("#test-connection")
        tested = answer.value.json()
        self.page.locator(".alert").filter(has_text=tested["message"]).first.wait_for()
        return tested["status"], tested["message"]

    def make_and_test(self, conn_id: str, fields: Mapping[str, str], extras: Mapping[str, str]) -> tuple[bool, str]:
        self.begin(conn_id)
        self.fill(fields, extras)
        tested = self.press_test()
        self.save()
        return tested


ConnectionPages: Any = ConnectionPages2 if IS_2 else ConnectionPages3
