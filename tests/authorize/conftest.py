"""An application that waits to be authorized."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.authorize.questions import SECRET_VARIABLE


@pytest.fixture
def app(portal):
    return portal.application(redirect_to="https://app.example.com/handler?from=bitrix24")


@pytest.fixture
def options(portal, app):
    """Everything that can be said beforehand; the code and the secret cannot."""
    return [
        *("--portal", portal.url, "--client-id", app.client_id, "--verify", portal.ca_file),
        *("--oauth-url", f"{portal.url}/oauth/token/"),
    ]


@pytest.fixture
def secret(app, monkeypatch):
    """The client secret in the environment."""
    monkeypatch.setenv(SECRET_VARIABLE, app.client_secret)
    return app.client_secret
