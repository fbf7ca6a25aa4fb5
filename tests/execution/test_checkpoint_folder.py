"""The folder beside a report decides what a retry sends: it follows no link, and is not another user's."""

from __future__ import annotations

import os
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import context


def write(report: Any) -> Any:
    return Bitrix24BulkWriteOperator(
        task_id="task", entity_type_id="company", rows=[{"title": "Oak"}], report=str(report)
    ).execute(context())


@pytest.mark.parametrize("target", ["a folder", "nothing", "a file"])
def test_a_link_is_refused_before_anything_is_sent(target, tmp_path, portal, connection):
    elsewhere = tmp_path / "elsewhere"
    if target == "a folder":
        elsewhere.mkdir()
    elif target == "a file":
        elsewhere.write_text("kept")
    (tmp_path / "r.jsonl.checkpoint").symlink_to(elsewhere)
    with pytest.raises(AirflowFailException, match=r"r\.jsonl\.checkpoint, is a link"):
        write(tmp_path / "r.jsonl")
    assert portal.requests == 0
    assert not elsewhere.is_dir() or not list(elsewhere.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path, portal, connection):
    folder = tmp_path / "r.jsonl.checkpoint"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(AirflowFailException, match="belongs to the user 12345"):
        write(tmp_path / "r.jsonl")
    assert portal.requests == 0


def test_files_of_the_memory_are_new_ones(tmp_path, portal, connection, monkeypatch):
    """Not even a link that was put there meanwhile is followed."""
    from airflow_provider_bitrix24.execution import checkpoint

    monkeypatch.setattr(checkpoint, "_names_in", lambda folder: [])
    write(tmp_path / "r.jsonl")
    (first, *_) = sorted((tmp_path / "r.jsonl.checkpoint").iterdir())
    first.unlink()
    first.symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigurationError, match=r"writes the same report: .*0\.1\.json is there"):
        write(tmp_path / "r.jsonl")
    assert not (tmp_path / "victim").exists()
