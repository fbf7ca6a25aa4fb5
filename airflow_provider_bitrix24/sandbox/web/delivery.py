"""How an answer goes over the wire, and how a fault spoils it there. What the answer is, is settled before."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.sandbox.protocol.answers import JSON_TYPE, Answer
from airflow_provider_bitrix24.sandbox.state.faults import Fault

if TYPE_CHECKING:
    from starlette.types import Receive, Send

#: SO_LINGER on, for 0 seconds: closing the socket sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)


async def deliver(
    answer: Answer, fault: Fault | None, transport: asyncio.Transport, receive: Receive, send: Send
) -> None:
    """Send the answer as it is, or as the fault says."""
    kind = None if fault is None else fault.kind
    match kind:
        case "reset_before" | "reset_after":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            transport.abort()
            await _disconnected(receive)
        case "close_before" | "close_after":
            transport.close()
            await _disconnected(receive)
        case "truncated":
            transport.write(_head_and_half(answer))
            transport.close()
            await _disconnected(receive)
        case _:
            await _send(answer, fault, send)


def _head_and_half(answer: Answer) -> bytes:
    head = f"HTTP/1.1 {answer.status} OK\r\ncontent-type: {JSON_TYPE}\r\ncontent-length: {len(answer.body)}\r\n\r\n"
    return head.encode() + answer.body[: len(answer.body) // 2]


async def _send(answer: Answer, fault: Fault | None, send: Send) -> None:
    if fault is not None and fault.kind == "slow":
        await asyncio.sleep(fault.options["seconds"])
    headers = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if fault is not None and fault.kind == "drip":
        for position in range(len(answer.body)):
            await send({"type": "http.response.body", "body": answer.body[position : position + 1], "more_body": True})
            await asyncio.sleep(fault.options["seconds"])
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": answer.body})


async def _disconnected(receive: Receive) -> None:
    """Wait until the server has noticed the end of the connection: it would answer 500 for us otherwise."""
    while (await receive())["type"] != "http.disconnect":
        pass
