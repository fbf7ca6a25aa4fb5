"""The whole way over the wire, in real processes: a portal, an authorization server, a person."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from string import Template

import pytest

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.portal import OAuthApp
from tests.authorize.person import Terminal, code_in, run, signed_in

ADDRESS = r"https://\S+/oauth/authorize/\?client_id=\S+&state=\S+"


def untold(app, said, *more):
    return [secret for secret in {*app.secrets(), app.application_token, *more} if secret in said] == []


# At a terminal


def test_a_person_pastes_where_the_browser_was_sent_and_gets_a_connection(portal, app, monkeypatch):
    with Terminal("--print", "json", "--verify", portal.ca_file, "--oauth-url", f"{portal.url}/oauth/token/") as person:
        person.until("Portal: ")
        person.type(portal.url)
        person.until("client_id: ")
        person.type(app.client_id)
        person.until("client_secret .*: ")
        person.type(app.client_secret)
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        person.type(address)
        ended = person.ended()
    assert ended.exit_code == 0, ended.said
    assert "application (status local) of Anna Admin (user 1, administrator); scopes: " in ended.said
    assert "holds the client secret and the tokens" in ended.said
    assert untold(app, ended.said, code_in(address))
    assert portal.count("app.info") == 1
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", ended.printed)
    assert Bitrix24Hook().call("profile")["ID"] == "1"
    extra = json.loads(ended.printed)["extra"]
    assert (extra["auth"], extra["member_id"]) == ("oauth", portal.member_id)
    assert app.valid_refresh_token(extra)


def test_the_line_of_the_documentation_makes_a_connection_to_the_sandbox(portal, app):
    lines = (Path(__file__).parents[2] / "docs/oauth.md").read_text(encoding="utf-8").splitlines()
    (line,) = (
        line for line in lines if line.startswith(". ./sandbox.env && python -m airflow_provider_bitrix24.authorize")
    )
    options = Template(line.partition(".authorize ")[2]).substitute(
        BITRIX24_SANDBOX_URL=portal.url, BITRIX24_SANDBOX_CA_FILE=portal.ca_file
    )
    with Terminal(*shlex.split(options)) as person:
        person.until("client_id: ")
        person.type(app.client_id)
        person.until("client_secret .*: ")
        person.type(app.client_secret)
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        person.type(code_in(address))
        ended = person.ended()
    assert ended.exit_code == 0, ended.said
    assert app.valid_refresh_token(json.loads(ended.printed)["extra"])


def test_a_code_that_comes_too_late_begins_the_authorization_again(portal, app, options, secret):
    with Terminal("--print", "json", *options) as person:
        first = person.until(ADDRESS)[0]
        late = signed_in(first, portal.ca_file)
        portal.clock.advance(31)
        person.until("Address or code .*: ")
        person.type(late)
        person.until(r"a code is valid once, for 30 seconds, and the address was shown \d+ seconds ago")
        second = person.until(ADDRESS)[0]
        assert second != first
        person.until("Address or code .*: ")
        person.type(late)
        person.until("this address belongs to another authorization")
        person.until("Address or code .*: ")
        person.type(signed_in(second, portal.ca_file))
        ended = person.ended()
    assert ended.exit_code == 0, ended.said
    assert portal.count("oauth/token") == 2
    assert untold(app, ended.said, code_in(late))


def test_ctrl_c_ends_it_and_gives_the_terminal_back(portal, app, options, secret):
    with Terminal("--print", "json", *options) as person:
        person.until("Address or code .*: ")
        person.type("\x03", end="")
        ended = person.ended()
    assert (ended.exit_code, ended.printed) == (130, "")
    assert "Traceback" not in ended.said
    assert portal.count("oauth/token") == 0


# With answers in a pipe


def test_a_code_alone_will_do_after_answers_that_will_not(portal, app, options, secret):
    ended = run("--print", "json", *options, answers=["", "what?", app.authorize_code()])
    assert ended.exit_code == 0, ended.said
    assert "neither a code nor an address" in ended.said
    assert app.valid_refresh_token(json.loads(ended.printed)["extra"])


def test_all_questions_can_be_answered_in_a_pipe(portal, app, options):
    answers = [portal.url, app.client_id, app.client_secret, app.authorize_code()]
    ended = run("--print", "json", *options[4:], answers=answers)
    assert ended.exit_code == 0, ended.said
    assert untold(app, ended.said, answers[-1])


def test_a_pipe_is_read_even_where_there_is_a_terminal(app, options, secret):
    with Terminal("--print", "json", *options, piped=True) as person:
        person.pipe(app.authorize_code())
        ended = person.ended()
    assert ended.exit_code == 0, ended.said
    assert app.valid_refresh_token(json.loads(ended.printed)["extra"])


@pytest.mark.parametrize(
    ("answers", "missing"),
    [([], '"Portal" was not answered: add --portal'), (["portal"], '"client_id" was not answered: add --client-id')],
)
def test_a_question_that_nobody_answers_says_how_to_answer_it_beforehand(portal, answers, missing):
    ended = run("--print", "json", answers=[portal.url for _ in answers])
    assert (ended.exit_code, ended.printed) == (2, "")
    assert missing in ended.said


def test_when_no_further_code_comes_the_first_refusal_is_what_counts(portal, app, options, secret):
    ended = run("--print", "json", *options, answers=["0123456789abcdef"])
    assert (ended.exit_code, ended.printed) == (1, "")
    assert ended.said.rstrip().splitlines()[-1].startswith("oauth/token: invalid_grant (HTTP 400)")
    assert "paste a new code within 30 seconds" in ended.said


@pytest.mark.parametrize("fault", ["close_before", "status_before"])
def test_a_server_that_is_away_is_asked_again_with_a_new_code(portal, app, options, secret, fault):
    portal.fault(fault, "oauth/token")
    ended = run("--print", "json", *options, answers=[app.authorize_code(), app.authorize_code()])
    assert ended.exit_code == 0, ended.said
    assert "Try again with a new code" in ended.said
    assert untold(app, ended.said)


def test_a_wrong_client_secret_is_named_and_not_shown(portal, app, options, monkeypatch):
    monkeypatch.setenv("BITRIX24_CLIENT_SECRET", "not-the-secret-of-this-one")
    code = app.authorize_code()
    ended = run("--print", "json", *options, answers=[code])
    assert (ended.exit_code, ended.printed) == (1, "")
    assert "invalid_client (HTTP 401)" in ended.said
    assert "check client_id and client_secret" in ended.said
    assert untold(app, ended.said, "not-the-secret-of-this-one", code)


def test_a_code_of_another_portal_is_not_exchanged(portal, app, options, secret):
    with Terminal("--print", "json", *options) as person:
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        person.type(re.sub(r"domain=127\.0\.0\.1", "domain=other.bitrix24.com", address, count=1))
        ended = person.ended()
    assert ended.exit_code == 2
    assert "comes from the portal other.bitrix24.com" in ended.said
    assert "--portal other.bitrix24.com" in ended.said
    assert portal.count("oauth/token") == 0


def test_a_pair_of_another_portal_than_the_code_is_refused(portal, app, options, secret):
    app.answer_changes = {"member_id": "another"}
    with Terminal("--print", "json", *options) as person:
        address = signed_in(person.until(ADDRESS)[0], portal.ca_file)
        person.until("Address or code .*: ")
        person.type(address)
        ended = person.ended()
    assert (ended.exit_code, ended.printed) == (2, "")
    assert (
        f"another portal (member_id another) than the one that sent the code or the callback ({portal.member_id})"
        in (ended.said.replace("\r\n", " "))
    )


def test_a_pair_for_another_host_is_refused_and_its_token_not_sent_there(portal, app, options, secret):
    app.answer_changes = {"client_endpoint": "https://other.bitrix24.com/rest/"}
    ended = run("--print", "json", *options, answers=[app.authorize_code()])
    assert (ended.exit_code, ended.printed) == (2, "")
    assert "the token is for the portal https://other.bitrix24.com" in ended.said
    assert portal.count("app.info") == 0


def test_a_pair_that_the_portal_does_not_take_is_not_handed_out(portal, app, options, secret):
    portal.plan_has_rest = False
    ended = run("--print", "json", *options, answers=[app.authorize_code()])
    assert (ended.exit_code, ended.printed) == (1, "")
    assert "ACCESS_DENIED" in ended.said
    assert untold(app, ended.said)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["--portal", "http://my.bitrix24.com"], "would send tokens unencrypted: write it with https://"),
        (["--portal", "my.bitrix24.com/crm/deal/"], "Portal (host) has a path, which no cloud portal has"),
        (["--client-id", "pmx1ua0secret"], "this is not a client_id"),
        (["--oauth-url", "http://oauth.example.com"], "the extra `oauth_url` is wrong"),
        (["--verify", "/nowhere/ca.pem"], "the extra `verify` is wrong"),
        (["--print", "env", "--conn-id", "my-portal"], "no environment variable can be named AIRFLOW_CONN_MY-PORTAL"),
        (["--conn-id", "a b"], "--conn-id: takes letters, digits"),
        (["--client-secret", "pmx1ua0secret"], "--client-secret is not an option, because others could read it"),
        (["--client-secret=pmx1ua0secret"], "--client-secret is not an option, because others could read it"),
        (["--secret=pmx1ua0secret"], "unknown: --secret"),
        (["pmx1ua0secret"], "unknown: an argument that belongs to no option"),
        (["--from-install-callback", "/nowhere/callback"], "/nowhere/callback cannot be read (no such file"),
    ],
)
def test_a_wrong_option_is_one_clear_sentence_and_nothing_is_asked_for(portal, options, secret, wrong, reason):
    ended = run("--print", "json", *options, *wrong)
    assert (ended.exit_code, ended.printed) == (2, "")
    assert reason in ended.said
    assert "Traceback" not in ended.said
    assert "pmx1ua0secret" not in ended.said
    assert portal.requests == 0


def test_printing_needs_no_airflow():
    program = "import sys, airflow_provider_bitrix24.authorize.__main__; print('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_help_says_what_is_needed_and_what_the_exit_codes_mean():
    ended = run("--help")
    assert ended.exit_code == 0
    for part in ("BITRIX24_CLIENT_SECRET", "--from-install-callback FILE", "exit codes: 0 done"):
        assert part in ended.printed


# The forms in which it can be printed


@pytest.mark.parametrize("form", ["json", "uri", "env"])
def test_airflow_reads_what_was_printed(portal, app, options, secret, monkeypatch, form):
    ended = run("--print", form, "--conn-id", "printed", *options, answers=[app.authorize_code()])
    assert ended.exit_code == 0, ended.said
    line = ended.printed
    if form == "env":
        shell = subprocess.run(
            ["bash", "-c", f'{line}\nprintf %s "$AIRFLOW_CONN_PRINTED"'], capture_output=True, text=True, check=True
        )
        line = shell.stdout
    monkeypatch.setenv("AIRFLOW_CONN_PRINTED", line.strip())
    read = Bitrix24Hook("printed").get_portal()
    assert isinstance(read.credentials, OAuthApp)
    assert (read.address, read.credentials.client_secret) == (portal.url, app.client_secret)
    assert app.valid_refresh_token({"refresh_token": read.credentials.refresh_token})
    assert Bitrix24Hook("printed").test_connection()[0]


# The installation callback


def test_an_installation_callback_becomes_a_connection(portal, app, options, secret, tmp_path):
    file = tmp_path / "callback"
    file.write_text(app.install_callback())
    ended = run("--print", "json", "--from-install-callback", str(file), *options[2:])
    assert ended.exit_code == 0, ended.said
    connection = json.loads(ended.printed)
    assert connection["host"] == portal.url.removeprefix("https://")
    assert app.valid_refresh_token(connection["extra"])
    assert app.application_token not in ended.printed + ended.said
    assert untold(app, ended.said)


def test_a_callback_comes_on_standard_input_and_may_be_older_than_its_access_token(portal, app, options, secret):
    body = app.install_callback()
    app.expire_access_tokens()
    ended = run("--print", "json", "--from-install-callback", "-", *options, answers=[body])
    assert ended.exit_code == 0, ended.said
    assert portal.renewals == 1
    assert app.valid_access_token(json.loads(ended.printed)["extra"])


def test_a_callback_that_was_used_before_is_reported(portal, app, options, secret):
    body = app.install_callback()
    assert run("--print", "json", "--from-install-callback", "-", *options, answers=[body]).exit_code == 0
    ended = run("--print", "json", "--from-install-callback", "-", *options, answers=[body])
    assert (ended.exit_code, ended.printed) == (1, "")
    assert "the callback was used before, or is too old" in ended.said


def test_a_callback_is_not_used_up_where_the_portal_would_refuse_its_pair(portal, app, options, secret):
    body = app.install_callback()
    portal.plan_has_rest = False
    ended = run("--print", "json", "--from-install-callback", "-", *options, answers=[body])
    assert ended.exit_code == 1
    assert portal.renewals == 0
    portal.plan_has_rest = True
    assert run("--print", "json", "--from-install-callback", "-", *options, answers=[body]).exit_code == 0


def test_a_callback_of_another_portal_than_the_one_named_is_refused(portal, app, options, secret):
    ended = run(
        *("--print", "json", "--from-install-callback", "-", *options, "--portal", "other.bitrix24.com"),
        answers=[app.install_callback()],
    )
    assert ended.exit_code == 2
    assert f"the callback comes from {portal.url}, but --portal names https://other.bitrix24.com" in ended.said
    assert portal.requests == 0


def test_with_the_callback_on_standard_input_the_secret_must_come_from_elsewhere(portal, app, options):
    assert "BITRIX24_CLIENT_SECRET" not in os.environ
    ended = run("--print", "json", "--from-install-callback", "-", *options, answers=[app.install_callback()])
    assert ended.exit_code == 2
    assert "set BITRIX24_CLIENT_SECRET" in ended.said


@pytest.mark.parametrize("way", ["signing in", "a callback"])
@pytest.mark.parametrize("place", ["oauth/token", "profile"], ids=["at the exchange", "after it"])
def test_a_command_that_is_ended_after_the_exchange_began_loses_no_pair(
    portal, app, options, secret, tmp_path, way, place
):
    """The code, and the token of a callback, are used up by then."""
    # A callback is looked at before the exchange too.
    passed = int(way == "a callback" and place == "profile")
    fault = portal.fault("slow", place, after=passed, seconds=0.7, executed=True)
    file = tmp_path / "callback"
    file.write_text(app.install_callback())
    more = ["--from-install-callback", str(file), *options[2:]] if way == "a callback" else options
    command = [sys.executable, "-m", "airflow_provider_bitrix24.authorize", "--print", "json", *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        if way == "signing in":
            process.stdin.write(f"{app.authorize_code()}\n".encode())
            process.stdin.flush()
        deadline = time.monotonic() + 30
        while fault.hits == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM, said
    assert app.valid_refresh_token(json.loads(printed)["extra"])
