"""Reading an answer as a test writes it down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_reply

DELETE = "crm.item.payment.delete"
JSON = "application/json; charset=utf-8"
SECRET = "s3cr3tc0dex12345"


def read(body: Any, *, status: int = 400, method: str = DELETE, content_type: str = JSON, **more: Any) -> Reply:
    encoded = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return read_reply(status, content_type, encoded, method=method, **more)


def error_of(body: Any, **more: Any) -> Any:
    with pytest.raises(Bitrix24Error) as caught:
        read(body, **more)
    return caught.value
