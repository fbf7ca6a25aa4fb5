"""What people paste after signing in."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.authorize.redirect import Redirect, read_redirect
from airflow_provider_bitrix24.exceptions import ConfigurationError

CODE, STATE = "avmocpghblyi01m3h42bljvqtyd19sw1", "JJHgsdgfkdaslg7lbadsfg"
#: The documentation's own example.
QUERY = (
    f"code={CODE}&state={STATE}&domain=portal.bitrix24.com&member_id=a223c6b3710f85df22e9377d6c4f7553"
    "&scope=crm%2Centity%2Cim%2Ctask&server_domain=oauth.bitrix.info"
)
WHOLE = Redirect(CODE, "portal.bitrix24.com", "a223c6b3710f85df22e9377d6c4f7553", "oauth.bitrix.info")


@pytest.mark.parametrize(
    ("pasted", "read"),
    [
        (f"https://www.applicationhost.com/application/?{QUERY}", WHOLE),
        (f"  <https://www.applicationhost.com/application/?{QUERY}#top>\r\n", WHOLE),
        (f"https://www.applicationhost.com/?a=?&{QUERY.replace('portal.', 'Portal.')}", WHOLE),
        (f"?{QUERY}", WHOLE),
        (QUERY, WHOLE),
        (f"code={CODE}&state={STATE}", Redirect(CODE)),
        (f"https://www.applicationhost.com/?code={CODE}&state={STATE}&domain=a%0Ab", Redirect(CODE)),
        (CODE, Redirect(CODE)),
        (f"code={CODE}", Redirect(CODE)),
        (f"?code={CODE}", Redirect(CODE)),
        (f' "code={CODE}&" ', Redirect(CODE)),
        (f"code={CODE}#top", Redirect(CODE)),
        (f' "{CODE}" ', Redirect(CODE)),
    ],
)
def test_an_address_a_query_and_a_code_are_understood(pasted, read):
    assert read_redirect(pasted, STATE) == read


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        ("", "neither a code nor an address"),
        ("yes", "neither a code nor an address"),
        (f"the code is {CODE}", "neither a code nor an address"),
        ("https://www.applicationhost.com/application/", "neither a code nor an address"),
        ("https://www.applicationhost.com/application/?state=" + STATE, "this address has no code in it"),
        (f"https://www.applicationhost.com/?code=%0A{CODE}x%20y&state={STATE}", "this address has no code in it"),
        (
            f"https://portal.bitrix24.com/oauth/authorize/?client_id=local.1&state={STATE}",
            "this is the address to open",
        ),
        (f"https://www.applicationhost.com/?{QUERY.replace(STATE, STATE + 'x')}", "belongs to another authorization"),
        (f"code={CODE}&domain=portal.bitrix24.com", "belongs to another authorization"),
        (f"https://www.applicationhost.com/?code={CODE}", "belongs to another authorization"),
        (f"https://www.applicationhost.com/?code={CODE}&state=é", "belongs to another authorization"),
    ],
)
def test_anything_else_is_refused_without_being_repeated(pasted, reason):
    with pytest.raises(ConfigurationError) as refused:
        read_redirect(pasted, STATE)
    assert reason in str(refused.value)
    assert CODE not in str(refused.value)


def test_a_code_is_not_shown():
    assert CODE not in repr(read_redirect(QUERY, STATE))
