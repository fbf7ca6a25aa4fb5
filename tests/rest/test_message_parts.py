"""Parts of messages: a value cut to a readable length, and the name that was probably meant."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.rest.message_parts import PREVIEW_LENGTH, did_you_mean, preview


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (7, "7"),
        ("7", "'7'"),
        (None, "None"),
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 58}…"),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …"),
    ],
)
def test_a_value_is_shown_as_python_writes_it_and_cut_where_it_is_long(value, shown):
    assert preview(value) == shown
    assert len(preview(value)) <= PREVIEW_LENGTH


def test_a_secret_is_taken_out_before_the_text_is_cut():
    shown = preview("x" * 50 + "s3cr3tc0dex1", lambda text: text.replace("s3cr3tc0dex1", "***"))
    assert shown == f"'{'x' * 50}***'"


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("TITEL", "did you mean TITLE?"),
        ("OPPORTUNTY", "did you mean OPPORTUNITY?"),
        ("STAGE", "did you mean STAGE_ID?"),
        ("COLOUR", "see crm.deal.fields"),
    ],
)
def test_the_nearest_name_is_asked_for(name, question):
    assert did_you_mean(name, ["TITLE", "STAGE_ID", "OPPORTUNITY"], "see crm.deal.fields") == question


@pytest.mark.parametrize(
    ("name", "known", "question"),
    [
        ("titel", ["title", "quoteId", "utmTerm"], "did you mean title?"),
        ("quoteld", ["title", "quoteId", "id"], "did you mean quoteId?"),
        ("assignedByld", ["assignedById", "assignedBy", "createdBy"], "did you mean assignedById or assignedBy?"),
        ("COMPANY", ["COMPANY_ID", "COMMENTS", "COMPANY_TITLE"], "did you mean COMPANY_ID?"),
        ("UTM_SORCE", ["UTM_SOURCE", "SOURCE_ID", "UTM_TERM"], "did you mean UTM_SOURCE?"),
    ],
)
def test_a_further_name_is_offered_only_where_it_is_about_as_near(name, known, question):
    assert did_you_mean(name, known) == question


def test_no_more_than_three_names_are_offered():
    names = ["UF_CRM_1", "UF_CRM_2", "UF_CRM_3", "UF_CRM_4"]
    question = did_you_mean("UF_CRM_5", names)
    assert question.count("UF_CRM_") == 3


def test_a_spelling_stands_for_the_names_that_it_may_mean():
    spellings = {"amount": ["opportunity", "ufCrmAmount"], "stage": ["stageId"]}
    assert did_you_mean("amount", spellings) == "did you mean opportunity or ufCrmAmount?"
    assert did_you_mean("stages", spellings) == "did you mean stageId?"
    assert did_you_mean("zzz", spellings) == ""
