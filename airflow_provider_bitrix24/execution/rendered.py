"""What templates and other tasks put into an operator's arguments, told apart from what the DAG's author wrote."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.rendered_texts import is_lost_in
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import (
    CARRIERS,
    NOTHING,
    from_json,
    is_blank_text,
    is_missing,
    nothing_hint,
)
from airflow_provider_bitrix24.rest.scalars import native, without_arrays

if TYPE_CHECKING:
    from airflow_provider_bitrix24.methods import Method

log = logging.getLogger(__name__)

#: In place of what the DAG file does not have.
_NOT_THERE = object()
#: In place of what a template, or another task, left without a value.
_LOST = object()
#: What a template names that may differ from one mapped task to the next.
_OF_ONE_TASK = re.compile(r"\b(?:ti|task_instance\w*|task|map_index|macros|random)\b")

_PARTS_OF_JSON = re.compile(r'\{\{.*?\}\}|\\.|"|[^"\\{]+|\{', re.DOTALL)
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
#: Values of a template that are others in each try.
_OF_ONE_TRY = re.compile(
    r"\b(ti|task_instance)\.(try_number|start_date|queued_dttm|hostname|job_id|pid|id)\b|\btry_number\b"
    r"|\b(now|utcnow|today|(?<=time\.)time|monotonic|uuid[14678]|random|randint|choice)\s*\("
)


def literal_of(written: Any, name: str) -> Any:
    """
    What the DAG file has, with JSON text as its value, also where templates make it JSON only when they are rendered.

    A template in quotes is a text; one that stands for a whole value is an object, which equals nothing it may become.
    """
    if not isinstance(written, str) or "{{" not in written:
        return from_json(written, name)
    text, quoted = "", False
    for part in _PARTS_OF_JSON.findall(written):
        quoted ^= part == '"'
        is_template = part.startswith("{{")
        text += part if not is_template else "{{}}" if quoted else '{"{{}}": 0}'
    return from_json(text, name)


def as_written(operator: Any, name: str, given: Any) -> Any:
    """
    An argument as the DAG file has it; None where another task gave it to a mapped task.

    :param given: what the operator was made with.
    """
    dag = operator.dag if operator.has_dag() else None
    mapped = dag.task_dict.get(operator.task_id) if dag is not None else None
    if mapped is None or not hasattr(mapped, "partial_kwargs") or name in mapped.partial_kwargs:
        return given
    # What expand() and expand_kwargs() take: lists in the DAG file, or another task's result.
    source = mapped._get_specified_expand_input().value
    members = source.get(name) if isinstance(source, Mapping) else source
    if not isinstance(members, (list, tuple)):
        return None
    if not isinstance(source, Mapping):
        members = [kwargs.get(name) for kwargs in members if isinstance(kwargs, Mapping)]
    return given if given in members else None


def value_of_one_try(written: Any) -> str:
    """
    What an argument takes from a value that is another one in each try of a task, ``ti.try_number``; empty where it
    is none of those that are known to be.

    :param written: the argument, see :func:`as_written`.
    """
    templates = " ".join(_TEMPLATE.findall(written)) if isinstance(written, str) else ""
    found = _OF_ONE_TRY.search(templates)
    return found[0].rstrip("( ") if found else ""


def is_shared(operator: Any, name: str, given: Any) -> bool:
    """
    Whether an argument surely comes out the same in several of the tasks that an operator is mapped to.

    What another task gives, and templates of the task instance, cannot be compared here.
    """
    dag = operator.dag if operator.has_dag() else None
    mapped = dag.task_dict.get(operator.task_id) if dag is not None else None
    if mapped is None or not hasattr(mapped, "partial_kwargs") or _OF_ONE_TASK.search(str(given)):
        return False
    if name in mapped.partial_kwargs:
        return True
    source = mapped._get_specified_expand_input().value
    if not isinstance(source, Mapping):
        members = [kwargs.get(name) for kwargs in source if isinstance(kwargs, Mapping)] if _is_list(source) else []
        return members.count(given) > 1
    # expand() makes a task of each combination of its arguments.
    others = [value for other, value in source.items() if other != name]
    if any(isinstance(value, (list, tuple, Mapping)) and len(value) > 1 for value in others):
        return True
    return _is_list(source.get(name)) and source[name].count(given) > 1


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def own_params(operator: Any, made_with: Collection[str]) -> list[str]:
    """
    Names of Airflow's ``params`` that the task itself has, and not its DAG.

    :param made_with: those that it had when it was made: Airflow 2 puts the ``conf`` of a run among them.
    """
    dag = operator.dag if operator.has_dag() else None
    of_dag = {*dag.params, *((dag.default_args or {}).get("params") or ())} if dag is not None else set()
    return [name for name in operator.params if name in made_with and name not in of_dag]


def check_own_params(operator: Any, *, takes: bool, made_with: Collection[str]) -> None:
    """
    :param takes: whether an argument has a template in which params may stand.
    :param made_with: see :func:`own_params`.
    :raises ConfigurationError: params was meant for the method, which would be called without any, as for a whole list.
    """
    if not takes and (names := own_params(operator, made_with)):
        raise ConfigurationError(
            f"params ({', '.join(names)}) is Airflow's, and the method would be called without them",
            next_step="give the method's parameters as method_params",
        )


def check_parts(written: Any, value: Any, name: str) -> None:
    """
    Refuse an address into whose name a template has put nothing: every run would write the same file.

    :param written: the address as the DAG file has it.
    :param value: the same after rendering.
    :raises ConfigurationError: the text between what the author wrote is empty, ``None`` or the like.
    """
    if not isinstance(written, str) or not isinstance(value, str) or "{%" in written or "{#" in written:
        return
    # Templates next to each other cannot be told apart.
    first, *others = [re.escape(part) for part in re.split(r"(?:\{\{.*?\}\})+", written.strip(), flags=re.DOTALL)]
    nothing = "|".join(map(re.escape, NOTHING - {""}))
    any_text = first + "".join(f".*{part}" for part in others)
    # An address may be cut in several ways: "/data/a" between templates with a slash. One without a gap will do.
    some_text = first + "".join(
        f"(?!(?:{nothing}){part}{'$' if number == len(others) else ''}).+{part}"
        for number, part in enumerate(others, 1)
    )
    text = value.strip()
    if re.fullmatch(any_text, text, re.DOTALL) and not re.fullmatch(some_text, text, re.DOTALL):
        raise ConfigurationError(
            f"{name} has a template that came out as nothing, {preview(text)}", next_step=nothing_hint(None)
        )


def check_texts(written: Any, value: Any, place: str) -> None:
    """
    Refuse the texts of nothing (``None``, ``nan``) in a filter where the author did not write them.

    :param written: the filter as the DAG file has it.
    :param value: the same after rendering.
    :raises ConfigurationError: a template, or another task, has put such a text there.
    """
    if written == value:
        return
    for path, text in _texts(literal_of(written, place), from_json(value, place), ()):
        key = "".join(f"[{part}]" for part in path)
        raise ConfigurationError(f"{place}{key} is {preview(text)}", next_step=nothing_hint(None))


def check_empty_texts(written: Any, value: Any, place: str) -> None:
    """
    Refuse an empty text in a filter where the author did not write it: everything without a value would be meant.

    :param written: the filter as the DAG file has it.
    :param value: the same after rendering.
    :raises ConfigurationError: a template, or another task, has put such a text there.
    """
    for path, member, _ in _changed(literal_of(written, place), from_json(value, place), ()):
        if isinstance(member, str) and not member.strip():
            key = "".join(f"[{part}]" for part in path)
            raise ConfigurationError(
                f"{place}{key} came out empty, and would choose everything that has no value there",
                next_step="check the template, or the upstream task's result; an empty text in the DAG itself is meant",
            )


def without_lost_values(written: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    Fields of an item without those that a template, or another task, left without a value: they must not be cleared.

    Only a value that the author wrote as nothing, None or ``""``, clears. The same holds for members of lists and of
    objects; an entry of a phone goes with its value, since an entry without one is removed.

    :param written: the fields as the DAG file has them.
    """
    literal = literal_of(written, "fields")
    literal = literal if isinstance(literal, Mapping) else {}
    lost: list[str] = []
    found = {name: _kept(literal.get(name, _NOT_THERE), value, str(name), lost) for name, value in fields.items()}
    if lost:
        log.warning("fields has no value for %s, which is left as it is.", ", ".join(lost))
    return {name: value for name, value in found.items() if value is not _LOST}


def _kept(literal: Any, value: Any, place: str, lost: list[str]) -> Any:
    """``value`` without what was lost in it, whose places are added to ``lost``; ``_LOST`` where nothing is left."""
    array = native(value)
    value = array if isinstance(array, list) else value
    if isinstance(value, Mapping) and value:
        inner = literal if isinstance(literal, Mapping) else {}
        found = {
            name: _kept(inner.get(name, _NOT_THERE), member, f"{place}[{name}]", lost) for name, member in value.items()
        }
        kept = {name: member for name, member in found.items() if member is not _LOST}
        carriers = [name for name in found if str(name).lower() in CARRIERS]
        return kept if kept and all(name in kept for name in carriers) else _LOST
    if isinstance(value, (list, tuple, set)) and value:
        found_members = [
            _kept(_written_member(literal, number, member), member, f"{place}[{number}]", lost)
            for number, member in enumerate(value)
        ]
        if all(member is _LOST for member in found_members):
            return _LOST
        # An empty text is left out of texts, and refused among ids: without it the others would replace what is there.
        return [
            "" if member is _LOST else member
            for member, whole in zip(found_members, value, strict=True)
            if member is not _LOST or not isinstance(whole, Mapping)
        ]
    if not _is_nothing(value) or _is_written(literal, value) or _is_text_of_data(literal, value):
        return value
    lost.append(place)
    return _LOST


def _written_member(literal: Any, place: int, member: Any) -> Any:
    """What the author wrote in the place of a member of a list."""
    if isinstance(literal, set):
        return member if member in literal else _NOT_THERE
    return literal[place] if isinstance(literal, (list, tuple)) and place < len(literal) else _NOT_THERE


def check_mapping(mapping: Mapping[str, Any], written: Any) -> None:
    """
    Refuse what a template, or another task, left without a value in a mapping: it would stand in every row, or clear a
    field of every item.

    :param written: the mapping as the DAG file has it.
    :raises ConfigurationError: one has no value.
    """
    for path, value, literal in _changed(literal_of(written, "mapping"), mapping, ()):
        text = value.strip() if isinstance(value, str) else None
        is_lost_text = isinstance(literal, str) and (text in NOTHING - {""} or is_lost_in(literal, value))
        is_empty = text == "" or (text is None and _is_nothing(value))
        if is_lost_text or is_empty:
            key = "".join(f"[{part}]" for part in path)
            raise ConfigurationError(f"mapping{key} is {preview(value)}", next_step=nothing_hint(None))


def with_lost_as_blank(written: Any, rows: Any) -> Any:
    """
    Rows that stand in the DAG file, with None in place of the texts that templates make of nothing.

    :param written: the rows as the DAG file has them.
    :param rows: the same after rendering.
    """
    literal = literal_of(written, "rows")
    if not isinstance(literal, (list, tuple, Mapping)) or written == rows:
        return rows
    found = _blanked(literal, from_json(rows, "rows"))
    # JSON text of one row is a list of it.
    return [found] if isinstance(rows, str) and isinstance(found, Mapping) else found


def _blanked(literal: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        inner = literal if isinstance(literal, Mapping) else {}
        return {name: _blanked(inner.get(name), member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        members = literal if isinstance(literal, (list, tuple)) else []
        return [
            _blanked(members[place] if place < len(members) else None, member) for place, member in enumerate(value)
        ]
    is_lost = isinstance(value, str) and isinstance(literal, str) and value != literal
    return None if is_lost and value.strip() in NOTHING - {""} else value


def check_lost_values(
    params: Mapping[str, Any], written: Any, place: str, method: Method, *, clear: bool = False
) -> None:
    """
    Refuse what a template, or another task, left without a value among a method's parameters.

    None and the texts that templates make of it (``None``, ``nan``) would be written as values, or clear what is there.
    So would an empty text or list in an update. Filters have rules of their own, see :func:`check_filter`.

    :param written: the parameters as the DAG file has them.
    :param clear: the author has said that None and empty values are meant.
    :raises ConfigurationError: one has no value.
    """
    written = without_arrays(literal_of(written, place))
    if isinstance(written, (list, tuple)):
        written = {str(number): member for number, member in enumerate(written)}
    updates = method.name.lower().rpartition(".")[2] == "update"
    others = {name: value for name, value in params.items() if name.lower() != "filter"}
    for path, value, literal in _changed(written, others, ()):
        text = value.strip() if isinstance(value, str) else None
        # What another task has as text is a value of its own: a person may be called "None".
        is_lost_text = text in NOTHING - {""} and isinstance(literal, str)
        is_empty = updates and (text == "" or (not isinstance(value, str) and _is_nothing(value)))
        if is_lost_text or ((is_missing(value) or is_empty) and not clear):
            key = "".join(f"[{part}]" for part in path)
            shown = "empty" if is_empty and not is_missing(value) else preview(value)
            hint = "check the template, or what the upstream task returned; write it in the DAG to clear what is there"
            raise ConfigurationError(
                f"{place}{key} is {shown}", method=method.name, next_step=hint if is_empty else nothing_hint(value)
            )


def _changed(written: Any, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Values without members that do not stand at the same place in ``written``, and what stands there."""
    if isinstance(value, Mapping) and value:
        inner = written if isinstance(written, Mapping) else {}
        for key, member in value.items():
            yield from _changed(inner.get(key, _NOT_THERE), member, (*path, key))
    elif isinstance(value, (list, tuple)) and value:
        members = list(written) if isinstance(written, (list, tuple)) else []
        for index, member in enumerate(value):
            yield from _changed(members[index] if index < len(members) else _NOT_THERE, member, (*path, index))
    elif type(written) is not type(value) or (written is not value and written != value):
        yield path, value, written


def _is_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() in NOTHING or is_blank_text(value)
    return is_missing(value) or (isinstance(value, (list, tuple, set, Mapping)) and not value)


def _is_written(literal: Any, value: Any) -> bool:
    """Whether the author wrote None or something empty; what data frames have for a missing value does not count."""
    # pandas' NA can be compared with nothing.
    if value is not None and not isinstance(value, (str, list, tuple, set, Mapping)):
        return False
    return type(literal) is type(value) and bool(literal == value)


def _is_text_of_data(literal: Any, value: Any) -> bool:
    """A text such as ``None`` that no template has written, but another task: a person may be called so."""
    return isinstance(value, str) and bool(value.strip()) and not isinstance(literal, str)


def check_filter(
    params: Mapping[str, Any], written: Any, place: str, method: Method, *, sent_as_it_is: bool = False
) -> None:
    """
    Check the filter among a method's parameters, see :func:`check_conditions` and :func:`check_texts`.

    :param written: the parameters as the DAG file has them.
    :param place: the argument, for messages.
    :param sent_as_it_is: no list reads the parameters, which knows a filter in any case and refuses a misspelt one.
    :raises ConfigurationError: the filter would not mean what it says, or would be ignored under a misspelt name.
    """
    # Only the run needs it.
    from airflow_provider_bitrix24.rest.conditions import check_conditions, check_filter_name

    written = without_arrays(literal_of(written, place))
    if sent_as_it_is and method.rows is not None:
        exact = method.rows.case_sensitive
        check_filter_name(params, method.rows.filter, method=method.name, place=place, exact=exact)
    for name, filter_ in params.items():
        if name.lower() != "filter":
            continue
        where = f"{place}[{name}]"
        check_texts(written.get(name) if isinstance(written, Mapping) else None, filter_, where)
        if hint := nothing_hint(filter_):
            raise ConfigurationError(f"{where} is {preview(filter_)}", method=method.name, next_step=hint)
        if filter_ in ({}, []) and not (
            isinstance(written, Mapping) and literal_of(written.get(name), where) == filter_
        ):
            raise ConfigurationError(
                f"{where} is empty, and would mean everything",
                method=method.name,
                next_step="check the template, or what the upstream task returned; leave it out to mean everything",
            )
        drops_empty_lists = method.rows is not None and method.rows.drops_empty_lists
        check_conditions(filter_, where, method=method.name, drops_empty_lists=drops_empty_lists)


def _texts(written: Any, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Texts of nothing in ``value`` that do not stand at the same place in ``written``."""
    if isinstance(value, Mapping):
        inner = written if isinstance(written, Mapping) else {}
        for key, member in value.items():
            yield from _texts(inner.get(key), member, (*path, key))
    elif isinstance(value, (list, tuple, set)):
        # Airflow keeps the order of a list that it renders.
        members = list(written) if isinstance(written, (list, tuple)) else []
        for index, member in enumerate(value):
            yield from _texts(members[index] if index < len(members) else None, member, (*path, index))
    elif (
        isinstance(value, str) and value != written and (value.strip() in NOTHING - {""} or is_lost_in(written, value))
    ):
        yield path, value
