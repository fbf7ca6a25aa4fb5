"""The fixtures for users' tests, in a pytest of their own: one run, since most of it is pytest's start."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

#: The first of these files runs first, and must not have been preceded by one that uses a fixture.
USERS_TESTS = {
    "nothing": """
import sys

def test_it():
    ours = {name for name in sys.modules if name.startswith("airflow_provider_bitrix24")}
    assert ours == {
        "airflow_provider_bitrix24", "airflow_provider_bitrix24.sandbox",
        "airflow_provider_bitrix24.sandbox.pytest_plugin",
    }
    assert not {"airflow", "starlette", "uvicorn", "trustme", "requests"} & set(sys.modules)
""",
    "settings": """
import pytest

@pytest.mark.bitrix24(deals=3, language="ru")
def test_it(bitrix24_portal):
    assert len(bitrix24_portal.items(2)) == 3
    assert bitrix24_portal._state.settings.language == "ru"
""",
    "levels": """
import pytest

pytestmark = pytest.mark.bitrix24(deals=9)

@pytest.mark.bitrix24(deals=3, tasks=4)
class TestMine:
    @pytest.fixture
    def mine(self, bitrix24_portal):
        return bitrix24_portal

    @pytest.mark.bitrix24(tasks=5)
    def test_it(self, mine):
        assert (len(mine.items(2)), len(mine.tasks())) == (3, 5)

def test_other(bitrix24_portal):
    assert len(bitrix24_portal.items(2)) == 9
""",
    "proxy": """
def test_it(bitrix24_portal):
    import requests

    requests.get(bitrix24_portal.webhook() + "profile", verify=bitrix24_portal.ca_file, timeout=10).raise_for_status()
""",
}

#: Settings that cannot be, and the one sentence that says so.
WRONG = {
    "500": "@pytest.mark.bitrix24 takes settings by name, such as deals=500.",
    "deal=5": "@pytest.mark.bitrix24 has no 'deal': write deals.",
    "deals='5'": "deals='5' is not valid: give a whole number from 0 to 1,000,000.",
    "data='no.json'": "The data cannot be read from no.json: No such file or directory. Name a JSON file.",
    "scenario='bad_network'": "There is no scenario 'bad_network': choose one of limits, ",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What pytest says about all of them."""
    folder = tmp_path_factory.mktemp("users")
    tests = [
        f"@pytest.mark.bitrix24({setting})\ndef test_{number}(bitrix24_portal): pass\n"
        for number, setting in enumerate(WRONG)
    ]
    files = {**USERS_TESTS, "wrong": "import pytest\n\n" + "\n".join(tests)}
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    done = subprocess.run(
        [*command, "--strict-markers", *(f"test_{name}.py" for name in files)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "example.com"},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nothing::test_it", id="a run that uses no fixture imports nothing of ours but the plugin"),
        pytest.param("settings::test_it", id="settings come from a marker"),
        pytest.param("levels::TestMine::test_it", id="the marker of a test adds to that of its class and wins"),
        pytest.param("levels::test_other", id="the marker of a module holds where there is no other"),
        pytest.param("proxy::test_it", id="a proxy of the environment is passed by"),
    ],
)
def test_a_users_test_passes(name, said):
    file, _, test = name.partition("::")
    assert re.search(rf"^test_{file}\.py::{test} PASSED", said, re.MULTILINE), said


def test_settings_that_cannot_be_are_one_sentence_each_without_a_traceback(said):
    assert f"{len(WRONG)} errors" in said
    for sentence in WRONG.values():
        assert f"\n{sentence}" in said
    assert "pytest_plugin.py" not in said
    assert "During handling" not in said
