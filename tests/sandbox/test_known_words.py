"""What a test writes into a portal and nobody knows is refused: the test would be green and prove nothing."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3
from airflow_provider_bitrix24.sandbox.state.known_words import Scopes


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ("clerk.rights.add('chnge')", "There is no right 'chnge': choose from read, change, change_orders."),
        ("clerk.rights.discard('reed')", "There is no right 'reed': choose from read, change, change_orders."),
        ("clerk.rights.remove('reed')", "There is no right 'reed': choose from read, change, change_orders."),
        ("clerk.rights.update({'read'}, ['all'])", "There is no right 'all': choose from read, change, change_orders."),
        ("clerk.rights |= {'all'}", "There is no right 'all': choose from read, change, change_orders."),
        ("clerk.rights -= {'reed'}", "There is no right 'reed': choose from read, change, change_orders."),
        ("clerk.rights &= {'reed'}", "There is no right 'reed': choose from read, change, change_orders."),
        ("clerk.rights ^= {'reed'}", "There is no right 'reed': choose from read, change, change_orders."),
        ("clerk.rights = {'edit'}", "There is no right 'edit': choose from read, change, change_orders."),
        ("clerk.rights = 'read'", "rights='read' is not valid: give a set, such as {'read'}."),
        ("clerk.rights.update('read')", "rights='read' is not valid: give a set, such as {'read'}."),
        ("clerk.rights.add(['read'])", "There is no right ['read']: choose from read, change, change_orders."),
        ("scopes = 'crm'", "scopes='crm' is not valid: give a set, such as {'crm'}."),
        ("scopes = None", "scopes=None is not valid: give a set, such as {'crm'}."),
        ("clerk.sees_only_own = 'no'", "sees_only_own='no' is not valid: give True or False."),
        ("plan_has_rest = 'no'", "plan_has_rest='no' is not valid: give True or False."),
        ("payment_site_phone_confirmed = 0", "payment_site_phone_confirmed=0 is not valid: give True or False."),
        (
            "plan_features.discard('rest_offline')",
            "There is no feature 'rest_offline': choose from rest_offline_extended, rest_auth_connector.",
        ),
    ],
)
def test_a_word_that_nobody_knows_is_named_with_those_that_are_known(slip, said):
    portal = Sandbox(deals=1)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        exec(f"portal.{slip}", {"portal": portal})
    assert portal.clerk.rights == {"read"}


@pytest.mark.parametrize(
    "slip",
    [
        "scopes.discard('cmr')",
        "scopes.difference_update({'user'}, {'cmr'})",
        "scopes = {'cmr', 'user'}",
        "application(scopes=['cmr'])",
        "application().scopes.add('cmr')",
        "application().scopes = {'cmr'}",
    ],
)
def test_so_is_a_scope_of_webhooks_and_of_applications(slip):
    with pytest.raises(ValueError, match=r"^There is no scope 'cmr': choose from crm, sale, .* user_brief\.$"):
        exec(f"portal.{slip}", {"portal": Sandbox(deals=1)})


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ("scope = {'user'}", "The portal has no 'scope': write scopes."),
        ("plan_has_Rest = False", "The portal has no 'plan_has_Rest': write plan_has_rest."),
        ("clerk.right = {'read', 'change'}", "A user has no 'right': write rights."),
        ("clerk.sees_own_only = True", "A user has no 'sees_own_only': write sees_only_own."),
    ],
)
def test_a_slip_in_the_name_of_a_setting_is_named(slip, said):
    with pytest.raises(AttributeError) as refused:
        exec(f"portal.{slip}", {"portal": Sandbox(deals=1)})
    assert str(refused.value) == said


def test_what_is_known_holds_from_the_next_call_on(portal, ask):
    def update():
        return ask(portal, "crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"title": "x"}}, portal.clerk)

    assert update().json()["error"] == "ACCESS_DENIED"
    portal.clerk.rights |= {"change"}
    assert update().status_code == 200
    portal.clerk.rights = ["read"]
    assert update().json()["error"] == "ACCESS_DENIED"
    portal.scopes -= {"crm"}
    assert update().json()["error"] == "insufficient_scope"


def test_every_scope_that_opens_a_method_is_known_and_no_other():
    entries = (*METHODS.values(), *METHODS_V3.values())
    assert set(Scopes.known) == {scope for entry in entries for scope in entry.scopes}


def test_a_copy_knows_the_same_words(portal):
    for scopes in (copy.deepcopy(portal.scopes), pickle.loads(pickle.dumps(portal.scopes))):
        assert scopes == portal.scopes
        with pytest.raises(ValueError, match="There is no scope 'x'"):
            scopes.add("x")
