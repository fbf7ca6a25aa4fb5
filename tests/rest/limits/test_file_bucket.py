"""One request bucket for all threads and processes of a host, whatever happens to them and to its file."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import multiprocessing.synchronize
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from airflow_provider_bitrix24.rest.limits.bucket import PLANS, Bucket
from airflow_provider_bitrix24.rest.limits.file_bucket import FileBucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket

BUCKET = PLANS["standard"]
FOREVER = 1e9


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "buckets")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def take(store: FileBucket | LocalBucket, count: int) -> list[float]:
    return [store.reserve(BUCKET, FOREVER) for _ in range(count)]


def highest_level(moments: list[float], *, drained_per_second: float, phase: float) -> float:
    """The judge: a portal that drains in whole steps and gets requests at these moments."""
    level, highest, drained_at = 0.0, 0.0, moments[0] - 1 + phase
    for moment in moments:
        while drained_at + 1 <= moment:
            level, drained_at = max(0.0, level - drained_per_second), drained_at + 1
        level += 1
        highest = max(highest, level)
    return highest


def in_processes(count: int, work: Callable[[], list[float]]) -> list[float]:
    """What ``work`` returned in this many forked processes that began together."""
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(count), context.SimpleQueue()

    def run() -> None:
        start.wait()
        results.put(work())

    processes = [context.Process(target=run) for _ in range(count)]
    for process in processes:
        process.start()
    gathered = [number for _ in processes for number in results.get()]
    for process in processes:
        process.join()
        process.close()
    return gathered


def test_four_processes_together_use_all_of_the_bucket_and_never_more(directory: str) -> None:
    def moments_of_45_calls() -> list[float]:
        store = FileBucket("portal", directory)
        moments = []
        for _ in range(45):
            wait_seconds = store.reserve(BUCKET, FOREVER)
            moments.append(monotonic() + wait_seconds)
        return moments

    moments = sorted(in_processes(4, moments_of_45_calls))

    assert len(moments) == 180
    for phase in (0.05, 0.35, 0.65, 0.95):
        assert highest_level(moments, drained_per_second=2, phase=phase) <= 50
    best_seconds = (180 - 50) / 2
    assert best_seconds <= moments[-1] - moments[0] <= 1.05 * best_seconds


def test_slots_go_to_those_who_ask_first(directory: str, clock: HandClock) -> None:
    first, second = FileBucket("portal", directory, clock=clock), FileBucket("portal", directory, clock=clock)
    assert take(first, 48) == [0.0] * 48
    assert [*take(first, 1), *take(second, 1), *take(first, 1), *take(second, 1)] == [0.5, 1.0, 1.5, 2.0]
    clock.now += 2.0
    assert take(second, 1) == [0.5]


@pytest.mark.parametrize("shared", [True, False])
def test_threads_never_get_the_same_slot(directory: str, shared: bool) -> None:
    def clock() -> float:
        sleep(0)  # Lets another thread run in the middle of the call.
        return 1000.0

    store = FileBucket("portal", directory, clock=clock) if shared else LocalBucket(clock)
    with ThreadPoolExecutor(8) as threads:
        waits = sorted(wait for waits in threads.map(lambda _: take(store, 50), range(8)) for wait in waits)
    assert waits == [0.0] * 48 + [0.5 * number for number in range(1, 353)]


@pytest.mark.parametrize("shared", [True, False])
def test_a_wait_beyond_patience_takes_no_slot(directory: str, clock: HandClock, shared: bool) -> None:
    store = FileBucket("portal", directory, clock=clock) if shared else LocalBucket(clock)
    take(store, 50)
    assert [store.reserve(BUCKET, 1.4) for _ in range(100)] == [1.5] * 100
    assert store.reserve(BUCKET, 1.5) == 1.5
    assert store.reserve(BUCKET, 1.5) == 2.0


def test_a_refusal_that_one_process_met_slows_the_others(directory: str, clock: HandClock) -> None:
    FileBucket("portal", directory, clock=clock).report_full(BUCKET, 4.0)
    other = FileBucket("portal", directory, clock=clock)
    assert take(other, 2) == [4.5, 5.0]


def test_portals_do_not_slow_each_other(directory: str, clock: HandClock) -> None:
    FileBucket("one", directory, clock=clock).report_full(BUCKET, 4.0)
    assert take(FileBucket("two", directory, clock=clock), 1) == [0.0]


def test_a_process_killed_in_the_middle_of_a_call_holds_nobody_up(directory: str) -> None:
    def die() -> float:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    child = os.fork()
    if child == 0:
        FileBucket("portal", directory, clock=die).reserve(BUCKET, FOREVER)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    assert take(FileBucket("portal", directory, sleep=no_sleep), 1) == [0.0]


def no_sleep(_: float) -> None:
    raise AssertionError("somebody holds the lock")


def test_a_stopped_process_holds_nobody_up_for_long(
    directory: str, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    def stop() -> float:
        os.kill(os.getpid(), signal.SIGSTOP)
        return 0.0

    child = os.fork()
    if child == 0:
        FileBucket("portal", directory, clock=stop).reserve(BUCKET, FOREVER)
        os._exit(0)
    try:
        os.waitpid(child, os.WUNTRACED)
        pauses: list[float] = []
        store = FileBucket("portal", directory, clock=clock, sleep=pauses.append)
        assert take(store, 49) == [0.0] * 48 + [0.5]
        assert 2.0 <= sum(pauses) / 49 <= 2.02
        assert [record.levelname for record in caplog.records] == ["WARNING"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_forked_in_the_middle_of_a_call_does_not_keep_the_lock(directory: str) -> None:
    until_closed, keep_open = os.pipe()
    children = []

    def fork() -> float:
        children.append(os.fork())
        if children[-1] == 0:
            os.close(keep_open)
            os.read(until_closed, 1)
            os._exit(0)
        return 1000.0

    FileBucket("portal", directory, clock=fork).reserve(BUCKET, FOREVER)
    try:
        assert take(FileBucket("portal", directory, sleep=no_sleep), 1) == [0.0]
    finally:
        os.close(keep_open)
        os.waitpid(children[0], 0)
        os.close(until_closed)


def test_a_child_may_be_forked_while_a_thread_is_inside_a_local_bucket() -> None:
    inside = threading.Event()

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            # Nobody sets it: the fork below happens while this thread has the lock, or waits for it.
            threading.Event().wait(0.1)
        return 1000.0

    store = LocalBucket(clock)
    thread = threading.Thread(target=store.reserve, args=(BUCKET, FOREVER))
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        store.reserve(BUCKET, FOREVER)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()


@pytest.mark.parametrize(
    "content",
    [b"\0", b"\0" * 20, b"\xff" * 20, b"48.0 1000.0\n", b"x" * 5000],
    ids=["torn", "zeros", "ones", "text", "long"],
)
def test_a_spoiled_file_counts_as_a_full_bucket_and_recovers(directory: str, clock: HandClock, content: bytes) -> None:
    store = FileBucket("portal", directory, clock=clock)
    store.reserve(BUCKET, FOREVER)
    Path(directory, "portal").write_bytes(content)
    assert take(store, 2) == [0.5, 1.0]
    clock.now += 1000
    assert take(store, 1) == [0.0]


def test_each_torn_write_counts_as_a_full_bucket(directory: str, clock: HandClock) -> None:
    store, file = FileBucket("portal", directory, clock=clock), Path(directory, "portal")
    store.reserve(BUCKET, FOREVER)
    before = file.read_bytes()
    clock.now += 7.3
    take(store, 20)
    after = file.read_bytes()
    for written in range(len(after)):
        torn = after[:written] + before[written:]
        if torn not in (before, after):
            file.write_bytes(torn)
            assert take(store, 1) == [0.5]


def test_an_empty_file_is_an_empty_bucket(directory: str, clock: HandClock) -> None:
    store = FileBucket("portal", directory, clock=clock)
    take(store, 60)
    Path(directory, "portal").write_bytes(b"")
    assert take(store, 1) == [0.0]


@pytest.mark.parametrize(("up_seconds", "wait_seconds"), [(3.0, 0.5), (10.0, 0.0)])
def test_a_bucket_from_before_the_host_started_has_leaked_since_then(
    directory: str, up_seconds: float, wait_seconds: float
) -> None:
    long_ago = FileBucket("portal", directory, clock=HandClock(5e6))
    take(long_ago, 54)
    assert take(FileBucket("portal", directory, clock=HandClock(up_seconds)), 1) == [wait_seconds]


def test_what_was_sent_under_other_limits_holds_nobody_up_for_hours(directory: str, clock: HandClock) -> None:
    fast = Bucket(rate=1000.0, burst=100_000.0)
    for _ in range(5_000):
        FileBucket("portal", directory, clock=clock).reserve(fast, FOREVER)
    store = FileBucket("portal", directory, clock=clock)
    assert store.reserve(BUCKET, 30.0) == 650.5
    clock.now += 650
    assert store.reserve(BUCKET, 30.0) == 0.5


def test_a_cleaner_may_take_file_and_directory_away(directory: str, clock: HandClock) -> None:
    store = FileBucket("portal", directory, clock=clock)
    take(store, 50)
    Path(directory, "portal").unlink()
    assert take(store, 1) == [0.0]
    Path(directory, "portal").unlink()
    Path(directory).rmdir()
    assert take(store, 1) == [0.0]


def test_only_this_user_can_read_the_bucket(directory: str) -> None:
    take(FileBucket("portal", directory), 1)
    assert os.stat(directory).st_mode & 0o777 == 0o700
    assert os.stat(Path(directory, "portal")).st_mode & 0o777 == 0o600


def test_an_open_directory_of_this_user_is_closed_to_others(directory: str) -> None:
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    take(FileBucket("portal", directory), 1)
    assert os.stat(directory).st_mode & 0o777 == 0o700


def somebody_elses(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        return Path("/usr")
    path = tmp_path / "theirs"
    path.mkdir()
    os.chown(path, 65534, 65534)
    return path


def symbolic_link(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "target")
    return path


def not_a_directory(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("")
    return path


def not_writable(_: Path) -> Path:
    return Path("/proc/airflow-provider-bitrix24")


def file_is_a_link(tmp_path: Path) -> Path:
    (tmp_path / "portal").symlink_to(tmp_path / "target")
    return tmp_path


@pytest.mark.parametrize(
    "make",
    [somebody_elses, symbolic_link, not_a_directory, not_writable, file_is_a_link],
    ids=lambda make: make.__name__,
)
def test_without_a_directory_to_trust_a_process_counts_alone_and_warns_once(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    store = FileBucket("portal", str(path), clock=clock)

    assert take(store, 49) == [0.0] * 48 + [0.5]
    store.report_full(BUCKET, 10.0)
    assert take(store, 1) == [10.5]

    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "`limiter`" in record.getMessage()
    assert str(path) in record.getMessage() or "portal" in record.getMessage()
    assert not (tmp_path / "target" / "portal").exists()
    assert not (tmp_path / "target").is_file()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_makes_a_process_count_alone(
    directory: str, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileBucket("portal", directory, clock=clock)
    with full_disk():
        waits = take(store, 49)
    assert waits == [0.0] * 48 + [0.5]
    assert os.strerror(errno.EFBIG) in caplog.text


def test_no_file_or_pipe_is_left_open(directory: str) -> None:
    before = os.listdir("/dev/fd")
    take(FileBucket("portal", directory), 20)
    take(FileBucket("portal", str(not_writable(Path()))), 20)
    assert os.listdir("/dev/fd") == before


# Permits for requests beside another one.


def _hold_permits(directory: str, number: int, ready: multiprocessing.synchronize.Event) -> None:
    store = FileBucket("portal", directory)
    held = [store.take_permit(number) for _ in range(number)]
    assert all(held)
    ready.set()
    sleep(60)


@pytest.mark.parametrize("shared", [True, False])
def test_as_many_permits_are_given_as_there_are(directory: str, shared: bool) -> None:
    store = FileBucket("portal", directory) if shared else LocalBucket()
    free = [store.take_permit(3) for _ in range(3)]
    assert all(free)
    assert store.take_permit(3) is None
    assert store.take_permit(0) is None
    free[1]()
    again = store.take_permit(3)
    assert again is not None
    assert store.take_permit(3) is None


def test_processes_share_permits_and_those_of_a_killed_one_are_free(directory: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold_permits, args=(directory, 3, ready), daemon=True)
    holder.start()
    assert ready.wait(60)
    store = FileBucket("portal", directory)
    assert store.take_permit(3) is None
    assert FileBucket("another portal", directory).take_permit(3) is not None
    os.kill(holder.pid or 0, signal.SIGKILL)
    holder.join()
    assert store.take_permit(3) is not None


def test_where_files_cannot_be_locked_a_process_counts_its_own_permits(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    store = FileBucket("portal", str(blocked / "no directory"))
    assert [store.take_permit(2) is not None for _ in range(3)] == [True, True, False]
