"""
ClickHouse of the package chdb behind HTTP, as a process of its own: ``python chdb_server.py FOLDER``.

The first line that it prints is its port. It speaks as much of ClickHouse's interface as its official client uses; a
connection is a handle of the engine, and settings of a request are set before its statement.
"""

from __future__ import annotations

import re
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

#: Parameters of a request; its others are settings of the engine.
_OF_THE_REQUEST = {
    "query", "database", "session_id", "session_timeout", "query_id", "compress", "decompress", "wait_end_of_query",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
    "client_protocol_version", "default_format", "buffer_size", "role",
}  # fmt: skip
_INSERTS_A_BODY = re.compile(r"\s*(INSERT\s+INTO\s+.*?)\s+FORMAT\s+(\w+)\s*", re.IGNORECASE | re.DOTALL)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = ""

    def setup(self) -> None:
        super().setup()
        self._engine = chdb.connect(self.folder)
        self._settings: dict[str, str] = {}

    def finish(self) -> None:
        self._engine.close()
        super().finish()

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        params = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self._body()
        try:
            self._prepare(params)
            answer = self._execute(params, body)
        except Exception as error:
            text = str(error)
            text = text[text.find("Code: ") :] if "Code: " in text else text
            code = re.match(r"Code: (\d+)", text)
            self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1002"})
        else:
            self._answer(200, answer, {"X-ClickHouse-Format": "TabSeparated"} if answer else {})

    def _prepare(self, params: dict[str, str]) -> None:
        if params.get("database"):
            self._engine.query(f"USE `{params['database']}`", "TabSeparated")
        for name, value in params.items():
            if name not in _OF_THE_REQUEST and not name.startswith("param_") and self._settings.get(name) != value:
                self._engine.query(f"SET {name} = {_quoted(value)}", "TabSeparated")
                self._settings[name] = value

    def _execute(self, params: dict[str, str], body: bytes) -> bytes:
        insert = _INSERTS_A_BODY.fullmatch(params.get("query", ""))
        if insert is None:
            sql = "\n".join(part for part in (params.get("query", ""), body.decode()) if part)
            return self._engine.query(sql, params.get("default_format", "TabSeparated")).bytes() or b""
        with tempfile.NamedTemporaryFile(suffix=".rows") as file:
            file.write(body)
            file.flush()
            sql = f"{insert[1]} FROM INFILE {_quoted(file.name)} FORMAT {insert[2]}"
            return self._engine.query(sql, "TabSeparated").bytes() or b""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "X-ClickHouse-Timezone": "UTC",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    _Handler.folder = sys.argv[1]
    # The engine ends with its last handle.
    engine = chdb.connect(_Handler.folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
