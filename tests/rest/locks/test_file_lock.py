"""A lock among the processes of a host. Crashes, forks and strange directories are in ``test_file_bucket``."""

from __future__ import annotations

import os
import tempfile

import pytest

from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory


def no_sleep(seconds):
    raise AssertionError("somebody holds the lock")


def test_the_file_is_open_for_reading_and_writing_while_the_lock_is_held(tmp_path):
    with locked_file("lock", str(tmp_path)) as file:
        os.pwrite(file, b"text", 0)
        assert os.pread(file, 10, 0) == b"text"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    assert (tmp_path / "lock").read_bytes() == b"text"
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_one_that_waits_tries_again_after_growing_pauses_and_gives_up_after_its_patience(tmp_path):
    pauses = []
    with (
        locked_file("lock", str(tmp_path)),
        pytest.raises(BlockingIOError),
        locked_file("lock", str(tmp_path), patience_seconds=2.0, sleep=pauses.append),
    ):
        pass
    assert pauses[:3] == [0.00005, 0.0001, 0.0002]
    assert max(pauses) == 0.02
    assert 2.0 <= sum(pauses) < 2.0 + 0.02


def test_the_lock_is_free_after_an_error_inside(tmp_path):
    with pytest.raises(ZeroDivisionError), locked_file("lock", str(tmp_path)):
        raise ZeroDivisionError
    with locked_file("lock", str(tmp_path), sleep=no_sleep):
        pass


def test_locks_of_other_names_do_not_wait_for_each_other(tmp_path):
    with locked_file("one", str(tmp_path)), locked_file("two", str(tmp_path), sleep=no_sleep):
        pass


def test_a_directory_of_the_users_own_is_left_as_it_is(tmp_path):
    os.chmod(tmp_path, 0o755)
    with locked_file("lock", str(tmp_path)):
        pass
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    with pytest.raises(FileNotFoundError), locked_file("lock", str(tmp_path / "missing")):
        pass


def test_a_private_directory_is_made_for_this_user_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    directory = shared_directory()
    for _ in range(2):
        with locked_file("lock", directory, private=True):
            pass
    assert os.stat(directory).st_mode & 0o777 == 0o700
    os.chmod(directory, 0o750)
    with locked_file("lock", directory, private=True):
        assert os.stat(directory).st_mode & 0o777 == 0o700


def test_no_file_is_left_open(tmp_path):
    before = os.listdir("/dev/fd")
    with locked_file("lock", str(tmp_path)):
        pass
    with pytest.raises(NotADirectoryError), locked_file("x", str(tmp_path / "lock"), private=True):
        pass
    assert os.listdir("/dev/fd") == before
