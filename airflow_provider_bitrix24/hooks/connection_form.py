"""The connection form of Airflow 2.11 to 3.1, made from the description that newer versions read themselves."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.get_provider_info import EXTRA_FIELDS, STANDARD_FIELDS


def form_widgets() -> dict[str, Any]:
    """
    Return a WTForms field for each extra, ``{"timeout": UnboundField, …}``.

    :raises ImportError: without Flask-AppBuilder, which only the web server of Airflow 2 brings.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    secret_widget, fields = _secret_widget(), {}
    for name, field in EXTRA_FIELDS.items():
        description, schema = field["description"], field["schema"]
        # This form has no sections.
        label = f"{schema['section']}: {field['label']}"
        if schema["type"][0] == "boolean":
            fields[name] = BooleanField(label, description=description)
        elif schema["type"][0] == "integer":
            # Without Optional an empty number field is "not a valid integer value", and the form cannot be saved.
            fields[name] = IntegerField(
                label, description=description, validators=[Optional()], widget=BS3TextFieldWidget()
            )
        elif schema.get("format") == "password":
            fields[name] = PasswordField(label, description=description, widget=secret_widget)
        else:
            # A number that need not be whole is text too: Airflow takes no other kinds of fields.
            checks = [Optional(), any_of(schema["enum"])] if "enum" in schema else []
            fields[name] = StringField(label, description=description, validators=checks, widget=BS3TextFieldWidget())
    return fields


def field_behaviour() -> dict[str, Any]:
    """Return ``{"hidden_fields": [...], "relabeling": {...}, "placeholders": {...}}``."""
    behaviour = {key.replace("-", "_"): value for key, value in STANDARD_FIELDS.items()}
    # Hidden, it would break the script of the page behind the Test button.
    behaviour["relabeling"] = {**behaviour["relabeling"], "extra": "Extra: JSON of the fields below"}
    # Only the page of Airflow 3.3 needs a port for its Test button.
    behaviour["placeholders"] = {**behaviour["placeholders"], "port": "443"}
    return behaviour


def _secret_widget() -> Any:
    """
    Return a widget for secrets that stay stored when something else of the connection is edited.

    Airflow 2 deletes an extra whose field comes back empty, and a password field is always empty in its page. The text
    that stands for a stored secret in *Extra* has the same meaning in a field of its own: what is stored stays.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget

    from airflow_provider_bitrix24.rest.settings.extras import STORED_SECRET

    class SecretWidget(BS3PasswordFieldWidget):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(hide_value=False)

        def __call__(self, field: Any, **options: Any) -> Any:
            # What was sent and refused, for another field, comes back as it was: it is stored nowhere yet.
            value = field.data if field.raw_data else STORED_SECRET
            return super().__call__(field, **options, value=value if field.data else "")

    return SecretWidget()
