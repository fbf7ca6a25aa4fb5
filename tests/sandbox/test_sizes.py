"""Settings that no portal can have are refused in one sentence, before anything listens."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"deals": -1}, r"^deals=-1 is not valid: give a whole number from 0 to 1,000,000\.$"),
        ({"tasks": "5"}, "tasks='5' is not valid: give a whole number"),
        ({"employees": True}, "employees=True is not valid: give a whole number"),
        ({"port": 70_000}, "port=70000 is not valid: give a port, or 0"),
        ({"seed": "x"}, "seed='x' is not valid: give a whole number"),
        ({"latency": "1"}, "latency='1' is not valid: give seconds"),
        ({"latency": -1}, "latency=-1 is not valid: give seconds"),
        ({"command_seconds": "0.1"}, "command_seconds='0.1' is not valid: give seconds"),
        ({"operating_limit": -5}, "operating_limit=-5 is not valid: give seconds"),
        ({"rate": 0}, "rate=0 is not valid: give requests per second, above 0"),
        ({"rate": "2"}, "rate='2' is not valid: give requests per second"),
        ({"burst": 0}, "burst=0 is not valid: give a number of requests, above 0"),
        ({"operating_shared": "no"}, "operating_shared='no' is not known: choose one of True, False"),
        ({"zero_code": False}, "zero_code=False is not known: choose one of '0', 0"),
        ({"generation": ["old"]}, r"generation=\['old'\] is not known: choose one of 'current'"),
        ({"gaps": 1.0}, "gaps=1.0 is not valid: give a chance from 0 to below 1"),
        ({"deals": 10**20}, "is not valid: give a whole number from 0 to 1,000,000"),
        ({"latency": float("inf")}, "latency=inf is not valid: give seconds"),
        ({"tls": "no"}, "tls='no' is not valid: give True or False"),
        ({"scenario": ["limits"]}, r"There is no scenario \['limits'\]: choose one of limits, "),
        ({"method_seconds": "crm"}, "method_seconds='crm' is not valid: give a dict"),
        ({"method_seconds": {"crm.itm.*": 1}}, r"There is no method 'crm\.itm\.\*': write crm\.item\.\*\."),
        ({"method_seconds": {"crm.*": -1}}, r"method_seconds of 'crm\.\*' cannot be -1: give seconds"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_can(given, words):
    with pytest.raises(ValueError, match=words):
        Sandbox(**given)


@pytest.mark.parametrize("code", ["q1w2/e3r4", "", 5])
def test_a_code_that_is_not_a_part_of_an_address_is_refused_and_not_shown(code):
    with pytest.raises(ValueError, match=r"^code is not valid: give letters and digits\.$"):
        Sandbox(code=code)


def test_an_odd_code_is_encoded_in_the_webhook(http):
    with Sandbox(deals=1, code="q1w2 e3r4") as portal:
        assert portal.webhook().endswith("/rest/1/q1w2%20e3r4/")
        assert http.get(portal.webhook() + "profile", verify=portal.ca_file, timeout=10).status_code == 200


@pytest.mark.parametrize("seconds", ["600", -5, None, float("nan")])
def test_a_clock_goes_forward_by_a_number_of_seconds(portal, seconds):
    with pytest.raises(ValueError, match=r"is not valid: give a number of seconds, 0 or more\."):
        portal.clock.advance(seconds)


def test_the_command_line_says_so_in_one_sentence():
    command = [sys.executable, "-m", "airflow_provider_bitrix24.sandbox", "--port", "70000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == "The sandbox cannot start: port=70000 is not valid: give a port, or 0 for any free one.\n"
    assert done.returncode == 1
