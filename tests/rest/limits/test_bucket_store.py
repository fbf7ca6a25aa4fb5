"""Which bucket a connection gets: the one of its host, or the one that its extra `limiter` names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.limits.bucket import PLANS
from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store
from airflow_provider_bitrix24.rest.locks.file_lock import shared_directory

BUCKET = PLANS["standard"]


def test_one_portal_has_one_store_in_a_process_and_its_name_is_not_in_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = bucket_store("example.bitrix24.com")
    assert bucket_store(" Example.Bitrix24.com", "") is store
    assert bucket_store("other.bitrix24.com") is not store

    store.reserve(BUCKET, 0.0)
    [file] = Path(shared_directory()).iterdir()
    assert file.parent.parent == tmp_path
    assert "example" not in str(file.relative_to(tmp_path))
    assert len(file.name) == 32


def test_processes_with_another_environment_find_the_same_bucket(tmp_path: Path) -> None:
    code = (
        "from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store\n"
        "from airflow_provider_bitrix24.rest.limits.bucket import Bucket\n"
        "print(bucket_store('example.bitrix24.com').reserve(Bucket(0.001, 1), 1e9))"
    )
    waits = []
    (tmp_path / "login").mkdir()
    for login in ({"XDG_RUNTIME_DIR": str(tmp_path / "login")}, {}):
        environment = {**os.environ, "TMPDIR": str(tmp_path), **login}
        waits.append(float(subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)))
    assert waits[0] == 0.0
    assert waits[1] > 900


@pytest.mark.parametrize(
    "limiter",
    [
        "memcached://:s3cret@host",
        "//:s3cret@host",
        "s3cret",
        "redis://",
        "redis://:s3cret@",
        "redis://:s3cret@host:s3cret/0",
        "redis://:s3/cret@host:6379/0",
        "redis://:12/s3cret@host:6379/0",
        "redis://me:12#s3cret@host:6379/0",
        "redis://me:12?s3cret@host:6379/0",
    ],
)
def test_a_limiter_that_makes_no_sense_is_refused_without_repeating_it(limiter: str) -> None:
    with pytest.raises(ConfigurationError, match=r"the extra `limiter` is not .*: write redis://") as caught:
        bucket_store("example.bitrix24.com", limiter)
    assert "s3" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_limiter_without_the_redis_package_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from airflow_provider_bitrix24.exceptions import ConfigurationError\n"
        "from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store\n"
        "bucket_store('example.bitrix24.com').reserve\n"
        "try: bucket_store('example.bitrix24.com', 'redis://localhost')\n"
        "except ConfigurationError as error: print(error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == (
        "the extra `limiter` needs the package redis: pip install 'airflow-provider-bitrix24[redis]'"
    )


def test_redis_is_not_imported_where_nobody_asks_for_it() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_bitrix24.rest.limits.bucket_store import bucket_store\n"
        "bucket_store('example.bitrix24.com')\n"
        "print('redis' in sys.modules, any(name.startswith('airflow.') for name in sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
