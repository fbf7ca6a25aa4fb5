from __future__ import annotations

import contextlib
import gc
import http.client
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from airflow_provider_bitrix24.sandbox import Sandbox


def test_nothing_is_left_behind(caplog):
    threads = set(threading.enumerate())
    with Sandbox() as portal:
        port, directory = portal.port, Path(portal.ca_file).parent
        idle = socket.create_connection((portal.host, port))
        trust = ssl.create_default_context(cafile=portal.ca_file)
        kept_alive = http.client.HTTPSConnection(portal.host, port, context=trust, timeout=5)
        kept_alive.request("GET", "/")
        kept_alive.getresponse().read()
        requests.post(portal.webhook() + "profile", verify=portal.ca_file, timeout=10)
        portal.fault("slow", seconds=60)
        with pytest.raises(requests.ReadTimeout):
            requests.post(portal.webhook() + "profile", verify=portal.ca_file, timeout=0.05)
    assert idle.recv(1) == b""
    idle.close()
    # Closed in good order or cut off, as the moment has it; one that stays open times out.
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        assert kept_alive.sock.recv(1) == b""
    kept_alive.close()
    assert set(threading.enumerate()) == threads
    assert not directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((portal.host, port))
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []
    gc.collect()  # An open socket or loop would warn here, and warnings are errors.


def test_a_stopped_sandbox_still_tells_what_happened(ask):
    with Sandbox() as portal:
        ask(portal, "profile")
    assert (portal.requests, portal.connections, portal.calls[0].method) == (1, 1, "profile")
    with pytest.raises(RuntimeError, match="with Sandbox"):
        portal.url  # noqa: B018


def test_a_running_sandbox_is_not_started_twice(portal):
    with pytest.raises(RuntimeError, match="running already"):
        portal.start()


def test_a_port_in_use_is_said_at_once(portal):
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=portal.port).start()


def test_its_certificate_is_trusted_by_its_own_ca_alone(portal):
    for trust in (True, str(Path(ssl.get_default_verify_paths().cafile or "") or True)):
        with requests.Session() as session:
            session.trust_env = False
            with pytest.raises(requests.exceptions.SSLError):
                session.get(portal.url, verify=trust, timeout=10)
    assert requests.get(portal.url.replace("127.0.0.1", "localhost"), verify=portal.ca_file, timeout=10).ok


def test_connections_are_counted_when_they_are_made(portal, ask):
    for _ in range(5):
        ask(portal, "profile")
    with requests.Session() as other:
        other.trust_env = False
        other.post(portal.webhook() + "profile", verify=portal.ca_file)
    assert portal.connections == 2
    assert [call.connection for call in portal.calls] == [1] * 5 + [2]


def test_many_clients_at_once_delete_each_payment_once(portal, ask):
    ids = [portal.add_payment(1) for _ in range(20)] * 4

    def delete(payment_id):
        url = portal.webhook() + "crm.item.payment.delete"
        return requests.post(url, json={"id": payment_id}, verify=portal.ca_file, timeout=10).json()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(delete, ids))
    assert sum(answer.get("result") is True for answer in answers) == 20
    assert portal.executed("crm.item.payment.delete") == 20
    assert portal.requests == 80


def test_a_client_that_goes_away_in_the_middle_of_its_request_leaves_no_trace(ask, caplog):
    with Sandbox() as portal:
        trust = ssl.create_default_context(cafile=portal.ca_file)
        path = portal.webhook()[len(portal.url) :] + "crm.deal.add"
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
        with (
            socket.create_connection((portal.host, portal.port)) as plain,
            trust.wrap_socket(plain, server_hostname=portal.host) as half,
        ):
            half.sendall(head.encode() + b'{"fields": {')
            # It has begun to read the request when it has answered another one.
            ask(portal, "profile")
        ask(portal, "profile")
    assert [call.method for call in portal.calls] == ["profile", "profile"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"generation": "ancient"}, "current"),
        ({"language": "de"}, "'en', 'ru'"),
        ({"batch_billing": "me"}, "commands"),
        ({"gaps": 1}, "below 1"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(setting, words):
    with pytest.raises(ValueError, match=words):
        Sandbox(**setting)
