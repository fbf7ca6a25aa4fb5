"""How a method is written down: its name, its scope, how its parameters are read, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

Params: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[PortalState, User, Params], Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list method; ``total`` and ``next`` stand beside ``result`` in the answer."""

    result: Any
    total: int | None = None
    next: int | None = None


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Answer of a method that did not do what it was asked, without an error: old servers' ``false``."""

    result: Any


@dataclass(frozen=True, slots=True)
class WholeBody:
    """The whole body of an answer in REST 3.0, with no ``result`` around it."""

    body: dict[str, Any]


class Refusal(Exception):
    """The portal says no: becomes ``error`` and ``error_description`` of the answer."""

    def __init__(
        self,
        code: str | int | None,
        description: str,
        status: int = 400,
        *,
        marks_batch: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.status = status
        #: The status also becomes that of a whole batch answer (a side effect of real controllers).
        self.marks_batch = marks_batch
        self.extra = dict(extra or {})


def not_modelled(problem: str) -> Refusal:
    """What the sandbox cannot carry out is refused by name: a test must not pass on it."""
    return Refusal("NOT_MODELLED_BY_SANDBOX", problem)


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    #: Any one of them opens the method; none: any webhook may call it.
    scopes: tuple[str, ...]
    handler: Handler
    #: Old modules read their parameters in any case: names reach the handler in upper case, ``start`` excepted.
    upper_case_params: bool


#: By name in lower case: REST v2 finds methods in any case.
METHODS: dict[str, Method] = {}

#: REST 3.0 finds methods as written.
METHODS_V3: dict[str, Method] = {}


def method(*names: str, scope: str | tuple[str, ...] = (), upper: bool = False) -> Callable[[Handler], Handler]:
    """Offer a function as one or more REST v2 methods."""
    scopes = ((scope,) if scope else ()) if isinstance(scope, str) else scope

    def register(handler: Handler) -> Handler:
        for name in names:
            METHODS[name.lower()] = Method(name, scopes, handler, upper)
        return handler

    return register


def method_v3(*names: str, scope: str = "") -> Callable[[Handler], Handler]:
    """Offer a function as one or more REST 3.0 methods."""

    def register(handler: Handler) -> Handler:
        for name in names:
            METHODS_V3[name] = Method(name, (scope,) if scope else (), handler, False)
        return handler

    return register
