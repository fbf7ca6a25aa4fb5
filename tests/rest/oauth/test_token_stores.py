"""Where token pairs are kept: a file, a Redis server, a class of the user's own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError, NotSent
from airflow_provider_bitrix24.rest.oauth.file_token_store import FileTokenStore
from airflow_provider_bitrix24.rest.oauth.token_stores import RedisTokenStore, TokenStore, token_store
from tests.rest.applications import MemoryStore, application_client
from tests.rest.redis_server import Server, forwarding_to, refused_port, tcp

PASSWORD = "s3cret/of#redis"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["file", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a store that is empty."""
    if request.param == "file":
        yield f"file:{tmp_path}/tokens.json"
        return
    server = request.getfixturevalue("redis_server")
    server.client().flushall()
    with tcp(forwarding_to(server)) as port:
        yield f"redis://127.0.0.1:{port}/0"


def store_at(address: str) -> TokenStore:
    return token_store(address, MemoryStore)


def test_a_text_is_read_back_by_another_store_at_the_same_address(address):
    text, version = store_at(address).read("key")
    assert text is None
    assert store_at(address).write("key", "текст", version)
    assert store_at(address).read("key")[0] == "текст"


def test_a_text_is_written_only_over_the_version_that_was_read(address):
    first, second = store_at(address), store_at(address)
    _, empty = first.read("key")
    assert first.write("key", "one", empty)
    assert not second.write("key", "two", empty)
    _, version = second.read("key")
    assert second.write("key", "two", version)
    assert not first.write("key", "three", version)
    assert first.read("key")[0] == "two"


def test_texts_of_different_keys_do_not_concern_each_other(address):
    store = store_at(address)
    _, empty = store.read("a")
    assert store.write("a", "one", empty)
    assert store.write("b", "two", empty)
    assert [store.read(key)[0] for key in "abc"] == ["one", "two", None]


def test_of_many_processes_that_write_at_the_same_moment_one_wins_each_time(address):
    rounds, workers = 20, 6
    context = multiprocessing.get_context("fork")
    barrier, wins = context.Barrier(workers), context.SimpleQueue()

    def work(name: int) -> None:
        store, won = store_at(address), 0
        for number in range(rounds):
            barrier.wait()
            _, version = store.read("key")
            barrier.wait()
            won += store.write("key", f"{number} of {name}", version)
        wins.put(won)

    processes = [context.Process(target=work, args=(name,)) for name in range(workers)]
    for process in processes:
        process.start()
    assert sum(wins.get() for _ in processes) == rounds
    for process in processes:
        process.join()
        process.close()


# A file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def write(path: Path, text: str, key: str = "key") -> None:
    store = FileTokenStore(str(path))
    assert store.write(key, text, store.read(key)[1])


def test_only_its_owner_may_read_the_file_whatever_the_umask(path):
    before = os.umask(0)
    try:
        write(path, "one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        write(path, "two")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {
        "tokens.json": 0o600,
        "tokens.json.lock": 0o600,
    }


def test_a_reader_never_sees_half_of_a_file(path):
    texts = ["a" * 200_000, "b" * 200_000]
    write(path, texts[0])
    store, stopped, seen = FileTokenStore(str(path)), threading.Event(), set()

    def read() -> None:
        while not stopped.is_set():
            seen.add(store.read("key")[0])

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        write(path, texts[number % 2])
    stopped.set()
    reader.join()
    assert seen <= set(texts)


def test_a_file_is_replaced_whole_and_never_written_into(path):
    write(path, "one")
    with path.open() as before:
        write(path, "two")
        assert "one" in before.read()


def test_what_a_killed_writer_left_behind_is_written_over(path):
    write(path, "one")

    def drafts() -> list[Path]:
        return list(path.parent.glob("*.new"))

    def die_while_writing() -> None:
        replace = os.replace
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        try:
            write(path, "lost")
        finally:
            os.replace = replace

    process = multiprocessing.get_context("fork").Process(target=die_while_writing)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(drafts()) == 1
    write(path, "two")
    assert FileTokenStore(str(path)).read("key")[0] == "two"
    assert drafts() == []


def give_away(path: Path) -> None:
    """Give a file to another user."""
    try:
        os.chown(path, 12345, -1)
    except PermissionError:
        pytest.skip("only root can give a file to another user")


@pytest.mark.parametrize("name", ["tokens.json.new", "tokens.json.x.new"])
@pytest.mark.parametrize("is_ours", [True, False])
def test_no_draft_is_taken_that_somebody_else_has_made_beforehand(path, name, is_ours):
    draft = path.with_name(name)
    draft.touch()
    draft.chmod(0o666)
    if not is_ours:
        give_away(draft)
    with draft.open() as theirs:
        write(path, "one")
        assert theirs.read() == ""
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o600, os.geteuid())


@pytest.mark.parametrize("what", ["file", "directory", "lock"])
def test_what_belongs_to_another_user_is_refused(path, what, portal, tmp_path):
    directory = tmp_path / "tokens"
    directory.mkdir()
    path = directory / "tokens.json"
    write(path, "one")
    theirs = {"file": path, "directory": directory, "lock": directory / "tokens.json.lock"}[what]
    give_away(theirs)
    with (
        application_client(portal.oauth_connection(access_token=None), FileTokenStore(str(path))) as client,
        pytest.raises(ConfigurationError, match=rf"{theirs}.*belongs to another user") as caught,
    ):
        client.call("profile")
    assert not caught.value.retryable
    assert portal.requests == 0
    assert "one" in path.read_text()


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_everybody_may_write_to_is_refused(path, what, portal, tmp_path):
    directory = tmp_path / "tokens"
    directory.mkdir()
    path = directory / "tokens.json"
    write(path, "one")
    theirs = {"file": path, "directory": directory}[what]
    theirs.chmod(0o1777 if what == "directory" else 0o606)
    with (
        application_client(portal.oauth_connection(access_token=None), FileTokenStore(str(path))) as client,
        pytest.raises(ConfigurationError, match=rf"everybody may write to {theirs}.*chmod o-w"),
    ):
        client.call("profile")
    assert portal.requests == 0
    with pytest.raises(ConfigurationError, match="everybody may write"):
        FileTokenStore(str(path)).write("key", "two", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a volume of root")
def test_a_volume_of_root_that_our_group_may_write_to_is_used():
    # Not below tmp_path: directories above that may be closed to other users.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chown(directory, 0, 50000)
        os.chmod(directory, 0o2775)
        path = Path(directory) / "tokens.json"
        path.write_text("{}")

        def work() -> None:
            os.setgroups([])
            os.setgid(50000)
            os.setuid(50000)
            write(path, "one")
            os._exit(0 if FileTokenStore(str(path)).read("key")[0] == "one" else 1)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0
        assert path.stat().st_uid == 50000


def test_a_pipe_in_place_of_the_file_does_not_block(path):
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="holds something else"):
        FileTokenStore(str(path)).read("key")


def test_a_lock_that_others_could_hold_is_closed_to_them(path):
    lock = path.with_name("tokens.json.lock")
    lock.touch()
    lock.chmod(0o666)
    write(path, "one")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_lock_that_is_a_link_is_not_followed(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    path.with_name("tokens.json.lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        write(path, "one")
    assert not elsewhere.exists()


def test_a_written_file_leaves_nothing_open(path):
    write(path, "one")
    before = sorted(os.listdir("/dev/fd"))
    for text in ("two", "three"):
        write(path, text)
    assert sorted(os.listdir("/dev/fd")) == before


def test_a_draft_that_is_a_link_to_somewhere_else_is_not_followed(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    path.with_name("tokens.json.new").symlink_to(elsewhere)
    write(path, "one")
    assert not elsewhere.exists()


def test_a_link_to_the_file_stays_one(path, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(path)
    write(link, "one")
    assert link.is_symlink()
    assert FileTokenStore(str(path)).read("key")[0] == "one"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"key": 1}', "\x00", "[" * 100_000])
def test_a_spoiled_file_is_named_and_not_written_over(path, content):
    path.write_text(content)
    store = FileTokenStore(str(path))
    with pytest.raises(ConfigurationError, match=f"token file {path} holds something else.*authorize"):
        store.read("key")
    with pytest.raises(ConfigurationError):
        store.write("key", "one", "")
    assert path.read_text() == content


def test_a_file_that_may_not_be_read_is_not_taken_for_an_empty_one(path):
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        FileTokenStore(str(path)).read("key")


# Addresses


def test_no_address_and_the_word_variable_mean_the_default():
    default = MemoryStore()
    assert [token_store(address, lambda: default) for address in (None, "", "variable", "Variable")] == [default] * 4


@pytest.mark.parametrize("form", ["file:{}/tokens.json", "file://{}/tokens.json"])
def test_a_file_may_be_named_as_a_path_or_as_an_address(tmp_path, form):
    write(tmp_path / "tokens.json", "one")
    assert store_at(form.format(tmp_path)).read("key")[0] == "one"


@pytest.mark.parametrize("address", ["file:tokens.json", "file:/var/lib/", "file:"])
def test_what_is_not_a_whole_path_of_a_file_is_refused(address):
    with pytest.raises(ConfigurationError, match=r"does not name a file.*file:/var/lib"):
        store_at(address)


@pytest.mark.parametrize(
    ("path", "cause"),
    [("no/such/tokens.json", "no such file or directory"), ("", "is a directory"), ("file/x", "not a directory")],
)
def test_a_path_of_no_file_is_reported_and_nothing_is_sent(path, cause, portal, tmp_path):
    (tmp_path / "file").touch()
    store = store_at(f"file:{tmp_path / path}")
    with (
        application_client(portal.oauth_connection(), store) as client,
        pytest.raises(NotSent, match=rf"cannot be read \({cause}\): check the extra `token_store`") as raised,
    ):
        client.call("profile")
    assert not raised.value.retryable
    assert portal.requests == 0


def test_a_class_of_the_users_own_is_made_by_its_dotted_path():
    store = store_at(f"{MemoryStore.__module__}.{MemoryStore.__qualname__}")
    assert isinstance(store, MemoryStore)


@pytest.mark.parametrize(
    "address",
    ["no.such.Module", "json.dumps", "json.NoSuchName", "word", ".", "tests.rest", "vault:x", "sys.__stdout__"],
)
def test_what_is_not_a_store_is_refused(address):
    with pytest.raises(ConfigurationError, match=r"token_store` does not name a store.*read\(\) and write\(\)"):
        store_at(address)


class CannotBeMade(MemoryStore):
    def __init__(self) -> None:
        raise KeyError("VAULT_ADDR")


def test_an_error_of_the_users_own_class_is_not_hidden():
    with pytest.raises(KeyError, match="VAULT_ADDR"):
        store_at(f"{__name__}.CannotBeMade")


@pytest.mark.parametrize(
    "address", ["redis://:s3cret/x@host:1/0", "redis://:s3cret#x@host", "redis://", "rediss://host:s3cret/0"]
)
def test_an_address_of_redis_that_makes_no_sense_is_refused_without_its_password(address):
    with pytest.raises(ConfigurationError, match=r"token_store.*is not a complete address of a Redis server") as caught:
        store_at(address)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


# With a client


def test_a_pair_is_renewed_and_found_again_in_the_store(portal, address, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    app = portal.application()
    connection = portal.oauth_connection(app)
    for _ in range(3):
        app.expire_access_tokens()
        with application_client(connection, store_at(address)) as client:
            assert client.call("profile")["ID"] == "1"
    assert (portal.renewals, portal.refused_renewals) == (3, 0)


def test_a_redis_that_is_away_is_named_without_its_password(portal):
    store = RedisTokenStore(f"redis://:s3cret@127.0.0.1:{refused_port()}/0")
    with (
        application_client(portal.oauth_connection(), store) as client,
        pytest.raises(Exception, match="cannot be read") as caught,
    ):
        client.call("profile")
    assert caught.value.retryable
    assert "s3cret" not in str(caught.value)
    assert portal.requests == 0


def test_the_file_holds_json_for_those_who_must_look_into_it(portal, path, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with application_client(portal.oauth_connection(access_token=None), FileTokenStore(str(path))) as client:
        client.call("profile")
    kinds = sorted(key.split("__")[1].split("_")[0] for key in json.loads(path.read_text()))
    assert kinds == ["app", "seed", "used"]
