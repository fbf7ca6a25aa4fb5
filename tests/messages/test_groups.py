"""Many messages at once: what people see, whatever processes do."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from airflow_provider_bitrix24.exceptions import AnswerLost, Forbidden
from airflow_provider_bitrix24.messages.groups import MOST_LINES, MessageGroup
from airflow_provider_bitrix24.messages.shared_states import FileState, RedisState, SharedState
from tests.rest.redis_server import Server, forwarding_to, refused_port, tcp


class Chat:
    """What a destination shows: texts by id."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.lock = threading.Lock()

    def put(self, text: str, message_id: int | None) -> int:
        with self.lock:
            number = message_id or len(self.texts) + 1
            self.texts[number] = text
            return number


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        with tcp(forwarding_to(server)) as port:
            yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.stop()


@pytest.fixture(params=["file", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SharedState]:
    """Makes what processes of one host, or of several hosts, share; new for each test."""
    if request.param == "file":
        return lambda: FileState("chat", str(tmp_path / "shared"))
    url = request.getfixturevalue("redis_url")
    return lambda: RedisState(request.node.name, url)


@pytest.fixture
def group(shared: Callable[[], SharedState], clock: Clock) -> Callable[..., MessageGroup]:
    def make(editable: bool = True, seconds: float = 60) -> MessageGroup:
        return MessageGroup(shared(), seconds, editable=editable, clock=clock, sleep=clock.sleep)

    return make


def deliver(group: MessageGroup, text: str, put: Callable[..., int]) -> str:
    return group.deliver(text, put, patience_seconds=8)


def test_messages_of_a_minute_are_one(group, clock):
    chat = Chat()
    for number in range(3):
        assert deliver(group(), f"Task {number} failed\nTry 1", chat.put) == "sent"
        clock.now += 29
    assert chat.texts == {1: "Task 0 failed\nTry 1\n\nand 2 more:\nTask 1 failed\nTask 2 failed"}
    clock.now += 3
    deliver(group(), "Task 3 failed", chat.put)
    assert chat.texts[2] == "Task 3 failed"
    assert clock.slept == []


def test_where_nothing_can_be_edited_messages_are_collected(group, clock):
    chat = Chat()

    def others_meanwhile(seconds: float) -> None:
        Clock.sleep(clock, seconds)
        if len(clock.slept) == 1:
            for number in (2, 3):
                assert deliver(group(editable=False), f"Task {number} failed", chat.put) == "joined"

    clock.sleep = others_meanwhile
    deliver(group(editable=False), "Task 0 failed", chat.put)
    assert clock.slept == []
    deliver(group(editable=False), "Task 1 failed", chat.put)
    assert chat.texts == {1: "Task 0 failed", 2: "3 more:\nTask 1 failed\nTask 2 failed\nTask 3 failed"}
    deliver(group(editable=False), "Task 4 failed", chat.put)
    assert chat.texts[3] == "1 more:\nTask 4 failed"


def test_hosts_whose_clocks_are_apart_share_a_group(group, clock):
    chat = Chat()
    deliver(group(), "Task 0 failed", chat.put)
    clock.now -= 20
    deliver(group(), "Task 1 failed", chat.put)
    assert chat.texts == {1: "Task 0 failed\n\nand 1 more:\nTask 1 failed"}


@pytest.mark.parametrize("editable", [True, False])
def test_a_hundred_messages_are_counted(editable, group, clock):
    chat = Chat()
    group_ = group(editable=editable)
    deliver(group_, "Task 0 failed", chat.put)
    others = iter(range(2, 100))

    def others_meanwhile(text: str, message_id: int | None) -> int:
        for number in others:
            assert deliver(group(editable=editable), f"Task {number} failed", chat.put) == "joined"
        return chat.put(text, message_id)

    deliver(group_, "Task 1 failed", others_meanwhile)
    last = chat.texts[max(chat.texts)]
    if editable:
        lines = [f"Task {number} failed" for number in range(1, MOST_LINES + 1)]
        assert last.splitlines() == ["Task 0 failed", "", "and 99 more:", *lines, "… and 79 more"]
        assert len(chat.texts) == 1
    else:
        assert [text.splitlines()[0] for text in chat.texts.values()] == ["Task 0 failed", "1 more:", "98 more:"]
        assert last.splitlines()[-1] == "… and 79 more"


@pytest.mark.parametrize("editable", [True, False])
def test_what_could_not_be_sent_comes_with_the_next(editable, group, clock):
    chat = Chat()

    def refuse(text: str, message_id: int | None) -> int:
        raise Forbidden("no right")

    deliver(group(editable), "Task 0 failed", chat.put)
    with pytest.raises(Forbidden):
        deliver(group(editable), "Task 1 failed", refuse)
    clock.now += 100
    deliver(group(editable), "Task 2 failed", chat.put)
    assert chat.texts == {1: "Task 0 failed", 2: "Task 2 failed\n\nand 1 more:\nTask 1 failed"}


def test_a_first_message_that_was_refused_is_not_lost(group, clock):
    chat = Chat()

    def refuse(text: str, message_id: int | None) -> int:
        raise Forbidden("no right")

    with pytest.raises(Forbidden):
        deliver(group(), "Task 0 failed\nTry 1", refuse)
    deliver(group(), "Task 1 failed", chat.put)
    assert chat.texts == {1: "Task 0 failed\nTry 1\n\nand 1 more:\nTask 1 failed"}


def test_a_first_message_that_was_refused_comes_with_that_of_the_next_minute(group, clock):
    chat = Chat()

    def refuse(text: str, message_id: int | None) -> int:
        raise Forbidden("no right")

    with pytest.raises(Forbidden):
        deliver(group(), "Task 0 failed\nTry 1", refuse)
    clock.now += 100
    deliver(group(), "Task 1 failed", chat.put)
    assert chat.texts == {1: "Task 1 failed\n\nand 1 more:\nTask 0 failed"}


def test_messages_that_keep_coming_are_sent_to_the_last_one_and_counted_if_left(group, clock, caplog):
    chat, number = Chat(), iter(range(1, 100))

    def one_more_meanwhile(text: str, message_id: int | None) -> int:
        clock.now += 3
        assert deliver(group(), f"Task {next(number)} failed", chat.put) == "joined"
        return chat.put(text, message_id)

    assert deliver(group(), "Task 0 failed", one_more_meanwhile) == "sent"
    assert "Messages that came meanwhile go out with the next one: 1" in caplog.text
    deliver(group(), "Task 9 failed", chat.put)
    assert chat.texts[1].splitlines()[-1] == "Task 9 failed"
    assert len(chat.texts) == 1


def test_a_message_whose_answer_was_lost_is_not_sent_again(group, clock):
    chat = Chat()

    def lose(text: str, message_id: int | None) -> int:
        chat.put(text, message_id)
        raise AnswerLost("no answer")

    with pytest.raises(AnswerLost):
        deliver(group(), "Task 0 failed", lose)
    deliver(group(), "Task 1 failed", chat.put)
    assert list(chat.texts.values()) == ["Task 0 failed", "Task 1 failed"]


def test_a_state_that_was_cut_off_begins_another_group(group, shared):
    chat = Chat()
    deliver(group(), "Task 0 failed", chat.put)
    with shared().locked() as content:
        content.write(content.read()[:20])
    deliver(group(), "Task 1 failed", chat.put)
    assert list(chat.texts.values()) == ["Task 0 failed", "Task 1 failed"]


def test_the_file_is_private(tmp_path, clock):
    deliver(MessageGroup(FileState("chat", str(tmp_path / "shared")), 60, editable=True), "Task 0 failed", Chat().put)
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "shared").iterdir()} == {"0o600"}
    assert oct((tmp_path / "shared").stat().st_mode & 0o777) == "0o700"


def test_a_redis_that_is_away_or_is_none_is_an_os_error_that_tells_no_secret():
    def answer_nonsense(near: socket.socket) -> None:
        near.recv(1000)
        near.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        near.close()

    with tcp(answer_nonsense) as port:
        for url in (f"redis://:hunter2@127.0.0.1:{refused_port()}/0", f"redis://:hunter2@127.0.0.1:{port}/0"):
            with pytest.raises(OSError, match="the extra `limiter` names, cannot be used") as caught:
                deliver(MessageGroup(RedisState("chat", url), 60, editable=True), "Task 0 failed", Chat().put)
            assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_one_who_held_the_lock_for_too_long_does_not_write_over_others(redis_url):
    state = RedisState("slow", redis_url)
    with state.locked() as content:
        redis.Redis.from_url(redis_url).delete("airflow-provider-bitrix24:slow:lock")
        with RedisState("slow", redis_url).locked() as others:
            others.write(b"theirs")
            with pytest.raises(OSError, match="held for too long"):
                content.write(b"mine")
    with state.locked() as content:
        assert content.read() == b"theirs"


def test_what_was_left_to_one_who_died_comes_with_the_next(redis_url):
    chat, client = Chat(), redis.Redis.from_url(redis_url)
    client.set("airflow-provider-bitrix24:died:sender", "of one who died", ex=20)
    group = MessageGroup(RedisState("died", redis_url), 60, editable=True)
    assert deliver(group, "Task 0 failed", chat.put) == "joined"
    client.delete("airflow-provider-bitrix24:died:sender")
    assert deliver(group, "Task 1 failed", chat.put) == "sent"
    assert chat.texts == {1: "Task 0 failed\n\nand 1 more:\nTask 1 failed"}


def test_what_is_kept_in_redis_ends_by_itself(redis_url):
    client = redis.Redis.from_url(redis_url)
    with RedisState("ends", redis_url).locked() as content, RedisState("ends", redis_url).sending():
        content.write(b"x")
        names = ("", ":lock", ":sender")
        lives = [client.ttl(f"airflow-provider-bitrix24:ends{name}") for name in names]
    assert [0 < life <= most for life, most in zip(lives, (86_400, 5, 20), strict=True)] == [True] * 3
    assert [client.exists(f"airflow-provider-bitrix24:ends{name}") for name in names] == [1, 0, 0]


def _send_from_a_process(directory: str, out: str, number: int, kills: bool) -> None:
    def put(text: str, message_id: int | None) -> int:
        if kills:
            os.kill(os.getpid(), 9)
        name = message_id or 1 + len(os.listdir(out))
        Path(out, f".{number}").write_text(text)
        os.replace(Path(out, f".{number}"), Path(out, str(name)))
        return name

    MessageGroup(FileState("chat", directory), 600, editable=True).deliver(
        f"Task {number} failed", put, patience_seconds=8
    )


def test_processes_write_one_message_and_lose_none_even_if_one_is_killed(tmp_path):
    out, shared = tmp_path / "out", str(tmp_path / "shared")
    out.mkdir()
    spawn: Any = multiprocessing.get_context("fork")
    killed = spawn.Process(target=_send_from_a_process, args=(shared, str(out), 0, True))
    killed.start()
    killed.join()
    assert killed.exitcode == -9
    processes = [
        spawn.Process(target=_send_from_a_process, args=(shared, str(out), number, False)) for number in range(1, 16)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 15
    (message,) = out.iterdir()
    assert sorted(line for line in message.read_text().splitlines() if line.startswith("Task")) == sorted(
        f"Task {number} failed" for number in range(16)
    )
