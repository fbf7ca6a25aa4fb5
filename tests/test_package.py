"""What Airflow and pip read about this package."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider_bitrix24
from airflow_provider_bitrix24.get_provider_info import get_provider_info
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.rest.settings.extras import Extras

ROOT = Path(__file__).parents[1]
#: Not of the repository where the wheel is tested.
PACKAGE = Path(airflow_provider_bitrix24.__file__).parent
CONNECTION_TYPE = get_provider_info()["connection-types"][0]


def test_provider_info_is_valid_for_this_airflow():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_airflow_finds_provider_info_through_the_entry_point():
    (found,) = (
        entry.load() for entry in entry_points(group="apache_airflow_provider") if entry.dist.name.endswith("bitrix24")
    )
    assert found() == get_provider_info()


def test_every_dotted_path_in_provider_info_can_be_imported():
    paths = sorted(set(_dotted_paths(get_provider_info())))
    assert CONNECTION_TYPE["hook-class-name"] in paths
    for path in paths:
        _imported(path)


def test_every_module_with_a_hook_an_operator_or_a_sensor_is_named_in_provider_info():
    info = get_provider_info()
    kinds = ("hooks", "operators", "sensors")
    named = {module for kind in kinds for entry in info[kind] for module in entry["python-modules"]}
    named |= {entry["python-module"] for entry in info["transfers"]}
    for path in (path for kind in (*kinds, "transfers") for path in PACKAGE.glob(f"{kind}/*.py")):
        name = f"{PACKAGE.name}.{path.parent.name}.{path.stem}"
        holds_one = re.search(
            r"^class Bitrix24(?!Base)\w*(Hook|Operator|Sensor)\b", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert (name in named) == bool(holds_one), name


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readme_names_every_hook_operator_and_sensor_with_its_module(readme):
    rows = re.findall(
        r"^\| `((?:hooks|operators|sensors|transfers)\.\w+)` \| (.*?) \|",
        (ROOT / readme).read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    listed = {(module, name) for module, cell in rows for name in re.findall(r"`(\w+)`", cell)}
    defined = {
        (f"{path.parent.name}.{path.stem}", name)
        for kind in ("hooks", "operators", "sensors", "transfers")
        for path in PACKAGE.glob(f"{kind}/*.py")
        for name in re.findall(
            r"^(?:class (?=Bitrix24(?!Base)\w*(?:Hook|Operator|Sensor)\b)|def (?=bitrix24_))(\w+)",
            path.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    }
    assert listed == defined


def _operators() -> list[type]:
    modules = [
        import_module(f"{PACKAGE.name}.{kind}.{path.stem}")
        for kind in ("operators", "sensors", "transfers")
        for path in PACKAGE.glob(f"{kind}/*.py")
    ]
    return [
        member
        for module in modules
        for name, member in vars(module).items()
        if re.fullmatch(r"Bitrix24(?!Base)\w*(Operator|Sensor)", name) and member.__module__ == module.__name__
    ]


@pytest.mark.parametrize("operator", _operators(), ids=lambda operator: operator.__name__)
def test_the_docstring_of_an_operator_has_its_parameters_its_errors_and_its_source(operator):
    docstring = operator.__doc__
    own = [base.__init__ for base in operator.__mro__ if base.__module__.startswith(PACKAGE.name)]
    parameters = {name for init in own for name in inspect.signature(init).parameters}
    # What all operators share is in their base class and in docs/operators.md.
    known = {"self", "args", "kwargs", "bitrix24_conn_id", "wait_for_limits", "patience"}
    assert {name for name in parameters - known if f":param {name}:" not in docstring} == set()
    assert re.search(r"(?i)\breturns?\b|\blist\b", docstring)
    assert ":raises AirflowFailException:" in docstring
    assert ":raises Bitrix24Error:" in docstring
    assert "Source: Bitrix24 REST docs," in docstring
    assert {name for name in operator.template_fields if name not in parameters} == set()


def test_the_version_is_written_in_one_place():
    assert version("airflow-provider-bitrix24") == airflow_provider_bitrix24.__version__
    written = re.compile(rf"(?<![\d.]){re.escape(airflow_provider_bitrix24.__version__)}(?![\d.])")
    sources = [*PACKAGE.rglob("*.py"), ROOT / "pyproject.toml"]
    places = [path.name for path in sources if written.search(path.read_text(encoding="utf-8"))]
    assert places == ["__init__.py"]


def test_the_source_distribution_has_all_that_stands_in_the_repository():
    configuration = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    included = re.findall(r'"/([^"]+)"', configuration.partition("[tool.hatch.build.targets.sdist]")[2])
    # The last one is in an archive that was unpacked.
    made_here = {".venv", "build", "dist", "pyproject.toml", "PKG-INFO"}
    there = {path.name for path in ROOT.iterdir() if not re.match(r"\.(?!ci$|pre-commit)", path.name)}
    assert sorted(included) == sorted(there - made_here)


def test_type_checkers_see_that_the_package_has_types():
    assert (PACKAGE / "py.typed").exists()


def test_the_airflow_command_shows_the_provider_and_the_connection_type():
    (shown,) = _airflow("providers", "get", "airflow-provider-bitrix24")
    assert shown == {"Provider": "airflow-provider-bitrix24", "Version": airflow_provider_bitrix24.__version__}
    (hook,) = (hook for hook in _airflow("providers", "hooks") if hook["connection_type"] == "bitrix24")
    assert hook["class"] == CONNECTION_TYPE["hook-class-name"]
    assert hook["hook_name"] == "Bitrix24"
    assert hook["conn_id_attribute_name"] == "bitrix24_conn_id"


def test_every_extra_may_be_left_empty():
    # The form of Airflow 3 stores each field, an empty one as null, and cannot be saved while a required one is empty.
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        assert "null" in field["schema"]["type"], name


def test_every_extra_that_is_understood_has_a_field_and_no_other_has():
    assert set(CONNECTION_TYPE["conn-fields"]) == Extras.KNOWN


def test_every_extra_that_may_hold_a_secret_is_a_password_field():
    fields = CONNECTION_TYPE["conn-fields"]
    assert {name for name, field in fields.items() if field["schema"].get("format") == "password"} == {
        "webhook_url",
        "client_secret",
        "refresh_token",
        "access_token",
        "token_store",
        "proxy",
        "limiter",
    }


def test_the_form_says_which_fields_belong_to_which_way():
    sections = {name: field["schema"]["section"] for name, field in CONNECTION_TYPE["conn-fields"].items()}
    assert {name for name, section in sections.items() if section == "OAuth application"} == {
        "client_id",
        "client_secret",
        "refresh_token",
        "access_token",
        "member_id",
        "oauth_url",
        "token_store",
    }
    assert sections["webhook_url"] == "Incoming webhook"


def test_the_hook_describes_the_standard_fields_as_provider_info_does():
    described = Bitrix24Hook.get_ui_field_behaviour()
    expected = CONNECTION_TYPE["ui-field-behaviour"]
    assert described == {
        "hidden_fields": expected["hidden-fields"],
        "relabeling": {**expected["relabeling"], "extra": "Extra: JSON of the fields below"},
        # What the Test button of Airflow 3.3 needs is true of that version alone.
        "placeholders": {**expected["placeholders"], "port": "443"},
    }


def test_the_hook_describes_the_extras_as_provider_info_does():
    pytest.importorskip(
        "flask_appbuilder", reason="only the web server of Airflow 2 makes the form of the hook's fields"
    )
    kinds = {
        "boolean": "BooleanField",
        "integer": "IntegerField",
        "number": "StringField",
        "string": "StringField",
        "password": "PasswordField",
    }
    fields = CONNECTION_TYPE["conn-fields"]
    widgets = Bitrix24Hook.get_connection_form_widgets()
    assert list(widgets) == list(fields)
    for name, widget in widgets.items():
        schema = fields[name]["schema"]
        assert widget.field_class.__name__ == kinds[schema.get("format", schema["type"][0])], name
        assert widget.args[0] == f"{schema['section']}: {fields[name]['label']}", name
        assert _allowed_by(widget) == schema.get("enum"), name


def test_a_stored_secret_stays_when_something_else_is_edited_in_airflow_2():
    pytest.importorskip("flask_appbuilder", reason="only Airflow 2 has this form")
    from airflow.www.views import SENSITIVE_FIELD_PLACEHOLDER
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    Secret = type("Secret", (Form,), {"secret": Bitrix24Hook.get_connection_form_widgets()["client_secret"]})

    def value_of(form: Form) -> str:
        return re.search(r'value="([^"]*)"', str(form["secret"]()))[1]  # type: ignore[index]

    # As Airflow fills the form: what stands there goes back to it, and tells it to keep what is stored.
    stored = Secret()
    stored["secret"].data = "stored-secret"
    assert value_of(stored) == SENSITIVE_FIELD_PLACEHOLDER
    assert value_of(Secret()) == ""
    # A form that was sent and refused: nothing of it is stored yet.
    for sent in ("typed-secret", SENSITIVE_FIELD_PLACEHOLDER, ""):
        assert value_of(Secret(MultiDict({"secret": sent}))) == sent


def test_the_hook_class_and_provider_info_name_the_connection_type_alike():
    assert Bitrix24Hook.conn_type == CONNECTION_TYPE["connection-type"] == "bitrix24"
    assert Bitrix24Hook.hook_name == CONNECTION_TYPE["hook-name"] == "Bitrix24"
    assert Bitrix24Hook.default_conn_name == "bitrix24_default"


def _allowed_by(widget: Any) -> list[str] | None:
    """The values that a field of Airflow 2's form takes; None for any."""
    allowed = [check.values for check in widget.kwargs.get("validators", ()) if hasattr(check, "values")]
    return allowed[0] if allowed else None


def _dotted_paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _dotted_paths(part)
    elif isinstance(value, str) and value.startswith("airflow_provider_bitrix24."):
        yield value


def _imported(path: str) -> Any:
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)


def _airflow(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "airflow", *arguments, "-o", "json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Airflow 3.0 logs there, too.
    return json.loads(printed[re.search(r"^\[\{", printed, re.MULTILINE).start() :])
