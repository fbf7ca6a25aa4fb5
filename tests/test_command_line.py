"""What is pasted in the wrong place of a command is not printed: it may be a webhook, a token or a client secret."""

from __future__ import annotations

import importlib

import pytest

SECRET = "s3cr3tc0de12345"
WEBHOOK = f"https://my.bitrix24.com/rest/1/{SECRET}/"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("check", [WEBHOOK]),
        ("check", ["crm", WEBHOOK]),
        ("check", ["crm", SECRET]),
        ("check", [f"--webhook={SECRET}"]),
        ("events", [WEBHOOK]),
        ("events", ["list", WEBHOOK]),
        ("events", ["list", "crm", SECRET]),
        ("events", ["unbind", WEBHOOK, "--all"]),
        ("authorize", ["--conn-id", WEBHOOK]),
        ("authorize", [WEBHOOK]),
        ("authorize", ["--print", WEBHOOK]),
        ("authorize", [f"--client-secret={SECRET}"]),
    ],
)
def test_what_is_pasted_by_mistake_is_not_printed(command, arguments, capsys):
    main = importlib.import_module(f"airflow_provider_bitrix24.{command}.__main__").main
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert f"usage: python -m airflow_provider_bitrix24.{command}" in said.err
    assert SECRET not in said.out + said.err
