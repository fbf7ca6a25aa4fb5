"""
A worker without Airflow, as a program: it calls ``profile`` on demand, through one connection and a token file.

It speaks JSON lines. First it is given ``{"connection": …, "file": …, "patience": seconds}``; then each ``{}`` is a
call, answered by ``{"user": "1"}`` or ``{"error": "…"}``. With ``{"stop": [3, "before"]}`` it stands still before (or
after) the third time that the store is asked, says ``{"at": "write used"}``, and waits to be killed. All that it logs
goes to standard error.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.oauth import token_renewal
from airflow_provider_bitrix24.rest.oauth.file_token_store import FileTokenStore
from airflow_provider_bitrix24.rest.oauth.token_stores import KEY_PREFIX
from airflow_provider_bitrix24.rest.portal import OAuthApp
from airflow_provider_bitrix24.rest.settings.address import portal_from_parts


class Stepping(FileTokenStore):
    """Counts how often it is asked, and stands still where it is asked to."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.stop: list[Any] | None = None
        self.steps = 0

    def read(self, key: str) -> tuple[str | None, str]:
        return self._step("read", key, lambda: super(Stepping, self).read(key))

    def write(self, key: str, text: str, version: str) -> bool:
        return self._step("write", key, lambda: super(Stepping, self).write(key, text, version))

    def _step(self, verb: str, key: str, work: Any) -> Any:
        self.steps += 1
        step, kind = self.steps, key.removeprefix(KEY_PREFIX).partition("_")[0]
        self._stand_still([step, "before"], f"{verb} {kind}")
        result = work()
        self._stand_still([step, "after"], f"{verb} {kind}")
        return result

    def _stand_still(self, place: list[Any], what: str) -> None:
        if self.stop == place:
            say({"at": what})
            sys.stdin.readline()


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    given = json.loads(sys.stdin.readline())
    token_renewal.OTHERS_PATIENCE_SECONDS = given["patience"]
    portal = portal_from_parts("worker", **given["connection"])
    assert isinstance(portal.credentials, OAuthApp)
    store = Stepping(given["file"])
    with Client(portal, tokens=token_renewal.Tokens(portal, portal.credentials, store)) as client:
        client.call("server.time")
        say({"ready": True})
        for line in sys.stdin:
            store.stop, store.steps = json.loads(line).get("stop"), 0
            try:
                say({"user": client.call("profile")["ID"], "steps": store.steps})
            except Bitrix24Error as error:
                logging.exception("The call failed.")
                say({"error": str(error)})


if __name__ == "__main__":
    main()
