"""``python -m airflow_provider_bitrix24.check``: what it shows, how it exits, and what it keeps to itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_bitrix24.check.__main__ import main
from airflow_provider_bitrix24.sandbox import unused_port


@pytest.fixture(autouse=True)
def wide(airflow_db, monkeypatch):
    """Wide enough for each line of the table."""
    monkeypatch.setenv("COLUMNS", "200")


def lines(printed: str) -> dict[str, tuple[str, str]]:
    """Value and level by name."""
    cells = [[cell.strip() for cell in re.split("[│|]", line)[1:-1]] for line in printed.splitlines()]
    return {row[0]: (row[1], row[2]) for row in cells if len(row) == 3}


def test_it_shows_who_signs_in_with_which_rights_and_what_there_is(portal, connection, capsys):
    assert main([]) == 0
    found = lines(capsys.readouterr().out)
    name = f"{portal.admin.first_name} {portal.admin.last_name}"
    assert found["portal"] == (portal.url, "ok")
    assert found["signs in as"] == (f"incoming webhook of {name}, user {portal.admin.id}", "ok")
    assert found["administrator"] == ("yes: sees everything", "ok")
    assert found["scope crm"] == ("yes: CRM items and payments", "ok")
    assert found["plan"] == ("en_pro100", "ok")
    assert found["requests"][0].endswith(" under way")
    assert found["clock"] == ("the same as here", "ok")
    counts = {word: found[f"items: {word}"][0] for word in ("lead", "deal", "contact", "company", "quote", "invoice")}
    kinds = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7, "invoice": 31}
    assert counts == {word: f"{len(portal.items(number)):,}" for word, number in kinds.items()}
    assert any(re.fullmatch(r"items: .* \(\d{3,}\)", name) for name in found)
    assert "operating time" in found


def test_nothing_is_written_to_the_portal(portal, connection, capsys):
    main(["bitrix24_default"])
    commands = [command for call in portal.calls for command in (call.commands or [call])]
    assert {command.method for command in commands} <= {
        *("profile", "scope", "app.info", "server.time", "crm.type.list", "crm.item.list", "batch"),
    }


def test_an_application_is_named_as_one(portal, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_APP", portal.oauth_connection_json(portal.application()))
    assert main(["app"]) == 0
    found = lines(capsys.readouterr().out)
    assert found["signs in as"][0].startswith("OAuth application of ")


def test_what_a_user_without_rights_cannot_see_is_pointed_out(portal, connect, capsys):
    connect(portal.clerk)
    assert main([]) == 0
    found = lines(capsys.readouterr().out)
    assert found["administrator"] == ("no: lists silently leave out what this user may not see", "look")
    assert found["smart processes"][1] == "look"


# Exit codes


def test_without_the_scope_crm_something_is_wrong(portal, connection, capsys):
    portal.scopes = {"task"}
    assert main([]) == 1
    said = capsys.readouterr()
    assert lines(said.out)["scope crm"] == ("no: CRM items and payments cannot be used", "wrong")
    assert lines(said.out)["scope task"][1] == "ok"
    assert said.err == "Wrong: scope crm.\n"


def test_a_portal_that_is_away_is_1_and_named(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", f"bitrix24://1:CODE1234@127.0.0.1:{unused_port()}")
    assert main(["away"]) == 1
    said = capsys.readouterr()
    assert "no connection" in said.err
    assert "CODE1234" not in said.out + said.err


@pytest.mark.parametrize(("fault", "code"), [("INVALID_CREDENTIALS", 401), ("ACCESS_DENIED", 403)])
def test_a_webhook_that_is_not_accepted_is_1(fault, code, portal, connection, capsys):
    portal.fault("error", times=None, code=fault, status=code, description="No")
    assert main([]) == 1
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("text", ["bitrix24://my.bitrix24.com", "bitrix24://1:CODE1234@http%3A%2F%2Fmy.bitrix24.com"])
def test_a_connection_that_is_wrong_is_2(text, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", text)
    assert main(["wrong"]) == 2
    said = capsys.readouterr()
    assert "connection 'wrong'" in said.err
    assert "CODE1234" not in said.out + said.err


def test_a_connection_that_is_not_there_is_2(capsys):
    assert main(["no_such_connection"]) == 2
    assert "connection 'no_such_connection' is not defined" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["a", "b"], ["--all"]])
def test_another_option_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


# What a portal may answer


@pytest.mark.parametrize(
    ("seconds", "value", "level"),
    [(3_600, "3,600 s ahead of this computer", "look"), (10, "10 s ahead of this computer", "ok")],
)
def test_a_clock_that_differs_is_shown(seconds, value, level, portal, connection, capsys):
    portal.clock.advance(seconds)
    main([])
    shown, of = lines(capsys.readouterr().out)["clock"]
    # The second may be over meanwhile.
    assert (re.sub(r"[\d,]+", "", shown), of) == (re.sub(r"[\d,]+", "", value), level)


def test_a_portal_whose_clock_is_behind_or_cannot_be_read(portal, connection, capsys):
    portal.fault("body", "server.time", body=b'{"result": "2020-01-01T00:00:00+00:00"}')
    main([])
    assert lines(capsys.readouterr().out)["clock"][0].endswith(" s behind this computer")
    portal.fault("body", "server.time", body=b'{"result": "soon"}')
    main([])
    assert lines(capsys.readouterr().out)["clock"] == ("the portal does not say what time it is", "look")


def test_a_list_that_fails_is_one_line_of_the_table(portal, connection, capsys):
    portal.fault("error", "crm.item.list", times=2, code="ACCESS_DENIED", status=403, description="No right")
    assert main([]) == 0
    found = lines(capsys.readouterr().out)
    assert [found[f"items: {word}"][1] for word in ("lead", "deal", "contact")] == ["look", "look", "ok"]


def test_a_name_with_markup_a_secret_and_line_breaks_is_shown_as_one_plain_text(portal, connection, capsys):
    body = {"result": {"ID": "1", "ADMIN": True, "NAME": f"[red]A[/red]\nB {portal.admin.code}", "LAST_NAME": "[/]"}}
    portal.fault("body", "profile", body=json.dumps(body).encode())
    assert main([]) == 0
    said = capsys.readouterr()
    assert portal.admin.code not in said.out + said.err
    assert lines(said.out)["signs in as"][0].startswith("incoming webhook of ")


def test_it_runs_as_a_command_and_prints_no_secret(portal, connection):
    command = [sys.executable, "-m", "airflow_provider_bitrix24.check", "bitrix24_default"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "items: deal" in done.stdout
    assert portal.admin.code not in done.stdout + done.stderr


def test_a_narrow_terminal_cuts_nothing_off(portal, connection, capsys, monkeypatch: Any):
    monkeypatch.setenv("COLUMNS", "60")
    main([])
    text = re.sub(r"[\s│|]+", "", capsys.readouterr().out)
    assert "CRMitemsandpayments" in text
