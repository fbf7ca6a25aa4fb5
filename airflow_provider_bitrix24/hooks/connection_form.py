"""The connection form of Airflow 2.11 to 3.1, made from the description that newer versions read themselves."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.get_provider_info import EXTRA_FIELDS, STANDARD_FIELDS


def form_widgets() -> dict[str, Any]:
    """
    Return a WTForms field for each extra, ``{"timeout": UnboundField, …}``.

    :raises ImportError: without Flask-AppBuilder, which only the web server of Airflow 2 brings.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    fields: dict[str, Any] = {}
    for name, field in EXTRA_FIELDS.items():
        label, description, schema = field["label"], field["description"], field["schema"]
        if schema["type"][0] == "boolean":
            fields[name] = BooleanField(label, description=description)
        elif schema["type"][0] == "integer":
            # Without Optional an empty number field is "not a valid integer value", and the form cannot be saved.
            fields[name] = IntegerField(
                label, description=description, validators=[Optional()], widget=BS3TextFieldWidget()
            )
        elif schema.get("format") == "password":
            fields[name] = PasswordField(label, description=description, widget=BS3PasswordFieldWidget())
        else:
            # A number that need not be whole is text too: Airflow takes no other kinds of fields.
            checks = [Optional(), any_of(schema["enum"])] if "enum" in schema else []
            fields[name] = StringField(label, description=description, validators=checks, widget=BS3TextFieldWidget())
    return fields


def field_behaviour() -> dict[str, Any]:
    """Return ``{"hidden_fields": [...], "relabeling": {...}, "placeholders": {...}}``."""
    return {key.replace("-", "_"): value for key, value in STANDARD_FIELDS.items()}
