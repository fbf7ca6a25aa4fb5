"""What applications and events need of their portal: its settings, people, identity, clock and lock."""

from __future__ import annotations

import secrets
import threading
from urllib.parse import urlsplit

from airflow_provider_bitrix24.sandbox.state.limits import Clock
from airflow_provider_bitrix24.sandbox.state.settings import Settings
from airflow_provider_bitrix24.sandbox.state.users import User


class PortalCore:
    """Whoever reads or changes a portal holds ``lock``: the server runs in a thread of its own."""

    def __init__(self, settings: Settings, users: list[User]) -> None:
        self.settings = settings
        self.users = {user.id: user for user in users}
        self.member_id = secrets.token_hex(16)
        #: ``https://127.0.0.1:PORT``, known when the portal listens.
        self.url = ""
        self.clock = Clock()
        self.lock = threading.RLock()

    @property
    def host(self) -> str:
        """Name of the portal without scheme and port, as ``domain`` of token answers has it."""
        return urlsplit(self.url).hostname or ""
