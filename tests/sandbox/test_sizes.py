"""Settings that no portal can have are refused in one sentence, before anything listens."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"deals": -1}, r"^deals=-1 cannot be: give a whole number, 0 or more\.$"),
        ({"tasks": "5"}, "tasks='5' cannot be: give a whole number"),
        ({"employees": True}, "employees=True cannot be: give a whole number"),
        ({"port": 70_000}, "port=70000 cannot be: give a port, or 0"),
        ({"seed": "x"}, "seed='x' cannot be: give a whole number"),
        ({"latency": "1"}, "latency='1' cannot be: give seconds"),
        ({"latency": -1}, "latency=-1 cannot be: give seconds"),
        ({"operating_limit": -5}, "operating_limit=-5 cannot be: give seconds"),
        ({"rate": 0}, "rate=0 cannot be: give requests per second, above 0"),
        ({"rate": "2"}, "rate='2' cannot be: give requests per second"),
        ({"burst": 0}, "burst=0 cannot be: give a number of requests, above 0"),
        ({"operating_shared": "no"}, "operating_shared='no' is not known: choose one of True, False"),
        ({"zero_code": False}, "zero_code=False is not known: choose one of '0', 0"),
        ({"generation": ["old"]}, r"generation=\['old'\] is not known: choose one of 'current'"),
        ({"gaps": 1.0}, "gaps=1.0 cannot be: give a chance from 0 to below 1"),
        ({"method_seconds": {"crm.*": -1}}, r"method_seconds of 'crm\.\*' cannot be -1: give seconds"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_can(given, words):
    with pytest.raises(ValueError, match=words):
        Sandbox(**given)


def test_a_code_that_is_no_part_of_an_address_is_refused_and_not_shown():
    with pytest.raises(ValueError, match=r"^code cannot be: give letters and digits\.$"):
        Sandbox(code="q1w2/e3r4")


def test_the_command_line_says_so_in_one_sentence():
    command = [sys.executable, "-m", "airflow_provider_bitrix24.sandbox", "--port", "70000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == "The sandbox cannot start: port=70000 cannot be: give a port, or 0 for any free one.\n"
    assert done.returncode == 1
