"""Where to call, and the rule for a portal that has moved."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import PortalMoved
from airflow_provider_bitrix24.rest.portal import Portal, Webhook

CODE = "s3cr3tc0dex12345"
METHOD = "crm.item.payment.delete"


def portal(**settings: Any) -> Portal:
    return Portal(**{"host": "old.bitrix24.com", "credentials": Webhook("1", CODE), **settings})


def moved(where: str, **settings: Any) -> Portal:
    return portal(**settings).moved(where, method=METHOD, status=302, request_id="r-1")


def test_the_address_of_a_method_holds_no_secret():
    assert portal().url(METHOD) == f"https://old.bitrix24.com/rest/{METHOD}"
    assert portal().url("tasks.task.get", version=3) == "https://old.bitrix24.com/rest/api/tasks.task.get"
    assert portal(folder="/a", port=8443).url("profile") == "https://old.bitrix24.com:8443/a/rest/profile"
    assert portal(host="2001:db8::7", port=8443).url("profile") == "https://[2001:db8::7]:8443/rest/profile"
    assert Webhook("1", "a/b c").path == "1/a%2Fb%20c/"


@pytest.mark.parametrize(
    ("allowed", "settings", "location", "address"),
    [
        ("new.bitrix24.com", {}, f"https://new.bitrix24.com/rest/1/{CODE}/{METHOD}", "https://new.bitrix24.com"),
        ("*.bitrix24.com", {}, "https://new.bitrix24.com/rest/profile", "https://new.bitrix24.com"),
        ("NEW.bitrix24.com", {}, "https://New.Bitrix24.Com/rest/profile", "https://new.bitrix24.com"),
        ("*.bitrix24.com", {}, "//new.bitrix24.com/rest/profile", "https://new.bitrix24.com"),
        ("*", {"host": "old"}, "https://new/rest/profile", "https://new"),
        ("new.com", {"port": 8443}, "https://new.com/rest/profile", "https://new.com:8443"),
        ("new.com:9443", {"port": 8443}, "https://new.com:9443/rest/profile", "https://new.com:9443"),
        ("new.com", {"folder": "/a"}, "https://new.com/a/rest/profile", "https://new.com/a"),
        ("new.com", {"scheme": "http"}, "https://new.com/rest/profile", "https://new.com"),
        ("new.com", {"scheme": "http"}, "http://new.com/rest/profile", "http://new.com"),
        ("*.com:9443", {"port": 8443}, "https://new.com:9443/rest/profile", "https://new.com:9443"),
        ("new.com", {}, "https://new.com:443/rest/profile", "https://new.com:443"),
        ("old.bitrix24.com:8443", {}, "https://old.bitrix24.com:8443/rest/profile", "https://old.bitrix24.com:8443"),
    ],
)
def test_a_renamed_portal_inside_the_allowed_domains_is_followed(allowed, settings, location, address):
    old = portal(allowed_domains=(allowed.lower(),), **settings)
    new = old.moved(location, method=METHOD, status=302, request_id="r-1")
    assert new.address == address
    assert new.credentials == old.credentials
    assert new.verify == old.verify


@pytest.mark.parametrize(
    ("location", "settings", "what", "hint"),
    [
        ("/", {}, "shows the page / instead of an answer", "open https://old.bitrix24.com in a browser"),
        (
            "/rest/1/x/profile",
            {},
            "shows the page /rest/1/x/profile instead of an answer",
            "the connection's Portal (host)",
        ),
        ("https://old.bitrix24.com/license", {}, "shows the page /license instead of an answer", "in a browser"),
        ("https://OLD.bitrix24.com:443/license", {"port": 443}, "shows the page /license", "in a browser"),
        ("https://new.com/rest/x", {}, "redirects to new.com, which this connection does not allow", "allowed_domains"),
        ("https://new.com/rest/x", {"allowed_domains": ("other.com",)}, "does not allow", "write new.com"),
        ("https://a.b.com/rest/x", {"allowed_domains": ("*.com",)}, "does not allow", "write a.b.com"),
        ("https://xbitrix24.com/rest/x", {"allowed_domains": ("*.bitrix24.com",)}, "does not allow", "allowed_domains"),
        ("https://b24.com.evil.org/rest/x", {"allowed_domains": ("*.com",)}, "does not allow", "allowed_domains"),
        (
            "https://new.com/login",
            {"allowed_domains": ("new.com",)},
            "redirects to a page at new.com",
            "open https://new",
        ),
        (
            "https://new.com/x/rest/",
            {"allowed_domains": ("new.com",), "folder": "/a"},
            "a page at new.com",
            "open https",
        ),
        (
            "http://new.com/rest/x",
            {"allowed_domains": ("new.com",)},
            "http://new.com, which is not https",
            "nothing was sent",
        ),
        (
            "ftp://new.com/rest/x",
            {"scheme": "http", "allowed_domains": ("new.com",)},
            "ftp://new.com",
            "nothing was sent",
        ),
        ("https://old.bitrix24.com/rest/x", {"scheme": "http"}, "asks for https", "write https://old.bitrix24.com"),
        (
            "https://old.bitrix24.com:8443/rest/x",
            {},
            "redirects to old.bitrix24.com:8443, which",
            "old.bitrix24.com:8443 to",
        ),
        ("https://old.bitrix24.com:8443/rest/x", {"allowed_domains": ("old.bitrix24.com",)}, "does not allow", "8443"),
        (
            "https://old.bitrix24.com:443/rest/x",
            {"port": 8443},
            "redirects to old.bitrix24.com:443, which",
            "as its Port",
        ),
        (
            "https://new.com:8443/rest/x",
            {"allowed_domains": ("new.com",)},
            "redirects to new.com:8443",
            "new.com:8443 to",
        ),
        (
            "https://new.com/rest/x",
            {"allowed_domains": ("new.com:8443",)},
            "redirects to new.com, which",
            "allowed_domains",
        ),
        (
            "https://new.com:8443/x",
            {"allowed_domains": ("new.com:8444",)},
            "redirects to new.com:8443",
            "8443 as its Port",
        ),
        pytest.param("/license?" + "x" * 60_000, {}, "an address of 60009 characters", "in a browser", id="of 60 kB"),
        pytest.param("/" + "p" * 1_500, {}, "shows the page /pppp", "in a browser", id="of 1,500 characters"),
        ("/a\u202eb\x1b[2J::group::c", {}, "shows the page /a b [2Jgroup::c", "in a browser"),
        ("https://[", {}, "an address that cannot be read", "in a browser"),
        ("https://new.com:99999/rest/x", {}, "an address that cannot be read", "in a browser"),
    ],
)
def test_any_other_redirect_is_refused_with_a_hint(location, settings, what, hint):
    with pytest.raises(PortalMoved) as caught:
        moved(location, **settings)
    assert what in caught.value.reason
    assert hint in caught.value.next_step
    assert len(str(caught.value)) < 500
    assert (caught.value.status, caught.value.request_id, caught.value.ran) == (302, "r-1", "no")
    assert not caught.value.retryable


@pytest.mark.parametrize("location", [f"https://{CODE}.com/rest/x", f"{CODE}://new.com/x", f"https://new.com/1/{CODE}"])
@pytest.mark.parametrize("allowed", [(), ("new.com",)])
def test_a_redirect_that_carries_the_secret_does_not_show_it(location, allowed):
    with pytest.raises(PortalMoved) as caught:
        moved(location, allowed_domains=allowed)
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}".lower()
    assert CODE not in shown
