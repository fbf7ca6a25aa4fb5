"""``Sandbox``: a running portal as tests and demos hold it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

from airflow_provider_bitrix24.sandbox.face import own_data
from airflow_provider_bitrix24.sandbox.face.applications import Applications
from airflow_provider_bitrix24.sandbox.face.json_files import Data, read_object
from airflow_provider_bitrix24.sandbox.face.method_names import check_method, check_name
from airflow_provider_bitrix24.sandbox.face.objects import Objects
from airflow_provider_bitrix24.sandbox.face.received_calls import ReceivedCalls
from airflow_provider_bitrix24.sandbox.face.scenarios import scenario_named
from airflow_provider_bitrix24.sandbox.face.sizes import check
from airflow_provider_bitrix24.sandbox.state import seed as seeding
from airflow_provider_bitrix24.sandbox.state.faults import Fault
from airflow_provider_bitrix24.sandbox.state.known_words import RIGHTS, Rights, Scopes, check_attribute, check_bool
from airflow_provider_bitrix24.sandbox.state.limits import Clock
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.settings import BatchBilling, Generation, Reading, Settings
from airflow_provider_bitrix24.sandbox.state.store import Store
from airflow_provider_bitrix24.sandbox.state.users import User, check_user, new_code
from airflow_provider_bitrix24.sandbox.web.app import application
from airflow_provider_bitrix24.sandbox.web.server import HOST, Certificate, Server


class Sandbox(Applications, ReceivedCalls, Objects):
    """
    A small Bitrix24 on 127.0.0.1, alive inside a ``with`` block (or between :meth:`start` and :meth:`stop`).

    It holds deals and a few objects of other kinds, the same for the same ``seed``; webhook codes are new
    every time unless ``seed`` or ``code`` is given. It refuses what Bitrix24 refuses. Two users: :attr:`admin` may do
    everything, :attr:`clerk` may only read.

    :param deals: how many deals (30).
    :param tasks: how many tasks (20).
    :param employees: users beside those two (10); they have no webhook, and every fifth of them is dismissed.
    :param data: objects of your own instead of generated ones: a JSON file, or an object of its form.
    :param answers: results of methods that the sandbox does not offer, see :attr:`answers`: a dict, or a JSON file.
    :param port: 0 takes any free port.
    :param scenario: a named portal of ``scenarios.SCENARIOS``, such as ``"bad-network"``; other settings win over it.
    :param generation: which server's payment answers: ``"current"`` (the default), ``"middle"`` (2024) or ``"old"``.
    :param language: of descriptions that the server translates: ``"en"`` (the default) or ``"ru"``.
    :param latency: seconds that every answer is held back, none by default.
    :param command_seconds: seconds that each command of a batch takes, none by default; requests run side by side.
    :param rate: requests per second that drain from the request bucket; without ``rate`` and ``burst`` there is none.
    :param burst: depth of the request bucket, 50 if only ``rate`` is given.
    :param operating_limit: seconds of running time per method in ten minutes; ``None``: no limit.
    :param method_seconds: how long methods are said to run, e.g. ``{"crm.item.*": 0.5}``: the portal's clock moves on.
    :param batch_billing: whose operating time a batch uses: its ``"commands"``, ``"batch"`` itself or ``"none"``.
    :param operating_shared: all webhooks share one counter per method, or each has its own.
    :param operating_shown: answers say how much running time was used, as a cloud portal; ``False``: self-hosted.
    :param auth_status: status of authorization errors: 401 (server source), or 403 with 503 for an overload and 400
        for plain HTTP (documentation).
    :param zero_code: numeric error codes as text (``"0"``, current servers) or as numbers (``0``, documentation).
    :param offline_queue: own changes, clearing and the age of rows as the ``"source"`` or the ``"documentation"`` says.
    :param notify_tags: tags of a webhook's notifications count with ``CLIENT_ID`` (``"documentation"``) or never.
    :param gaps: chance, 0 to below 1, that an id is skipped.
    :param tls: ``False`` serves plain HTTP, as a self-hosted portal inside a closed network may.
    """

    def __init__(
        self,
        *,
        deals: int | None = None,
        tasks: int | None = None,
        employees: int | None = None,
        data: Data | None = None,
        answers: Data | None = None,
        seed: int | None = None,
        code: str | None = None,
        port: int = 0,
        scenario: str | None = None,
        generation: Generation | None = None,
        language: str | None = None,
        latency: float | None = None,
        command_seconds: float = 0.0,
        rate: float | None = None,
        burst: int | None = None,
        operating_limit: float | None = None,
        method_seconds: Mapping[str, float] | None = None,
        batch_billing: BatchBilling = "commands",
        operating_shared: bool = True,
        operating_shown: bool = True,
        auth_status: int = 401,
        zero_code: str | int = "0",
        offline_queue: Reading = "source",
        notify_tags: Reading = "source",
        gaps: float = 0.0,
        tls: bool = True,
    ) -> None:
        sizes = {"deals": deals, "tasks": tasks, "employees": employees, "port": port, "seed": seed, "gaps": gaps}
        limits = {"latency": latency, "rate": rate, "burst": burst, "operating_limit": operating_limit}
        limits["command_seconds"] = command_seconds
        check(method_seconds, code=code, tls=tls, **sizes, **limits)
        usual = scenario_named(scenario)
        if data is not None and any(count is not None for count in (deals, tasks, employees)):
            raise ValueError(
                "The portal holds data of your own, or generated objects: leave deals, tasks and employees out."
            )
        own = None if data is None else own_data.read(data)
        settings = Settings(
            generation=usual.generation if generation is None else generation,
            language=usual.language if language is None else language,
            auth_status=auth_status,
            zero_code=zero_code,
            batch_billing=batch_billing,
            operating_shared=operating_shared,
            operating_shown=operating_shown,
            latency_seconds=usual.latency if latency is None else latency,
            command_seconds=command_seconds,
            offline_queue=offline_queue,
            notify_tags=notify_tags,
        )
        self._seed = 1 if seed is None else seed
        codes = None if seed is None else random.Random(f"codes {seed}")
        self.admin = User(1, "Anna", "Admin", "anna@example.com", code or new_code(codes), is_admin=True)
        self.admin.rights = Rights(RIGHTS)
        self.clerk = User(7, "Karl", "Clerk", "karl@example.com", new_code(codes))
        if own is not None:
            people = own_data.users(own, codes)
        else:
            people = seeding.employees(10 if employees is None else employees)
        self._state = PortalState(
            settings,
            [self.admin, self.clerk, *people],
            Store(gap=gaps, seed=self._seed),
            rate=usual.rate if rate is None else rate,
            burst=usual.burst if burst is None else burst,
            operating_limit=usual.operating_limit if operating_limit is None else operating_limit,
            method_seconds=usual.method_seconds if method_seconds is None else method_seconds,
            check_method=check_method,
        )
        if answers is not None:
            self._state.answers.update(read_object(answers, "The answers", '{"crm.dealcategory.get": {"ID": 9}}'))
        usual.apply_to(self._state)
        self._chance = random.Random(f"deals {self._seed}")
        if own is not None:
            own_data.put(self._state, own, self.admin)
        else:
            numbers = {"deals": 30 if deals is None else deals, "tasks": 20 if tasks is None else tasks}
            seeding.fill(self._state.store, **numbers, seed=self._seed)
        self._tls = tls
        self._wanted_port = port
        self._certificate: Certificate | None = None
        self._server: Server | None = None
        self._served_connections = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            check_attribute("The portal", name, [*dir(type(self)), "admin", "clerk"])
        super().__setattr__(name, value)

    # Life

    def start(self) -> Sandbox:
        """
        Listen.

        :raises ImportError: the extra ``sandbox`` is not installed.
        :raises OSError: the port is in use.
        """
        if self._server is not None:
            raise RuntimeError("The sandbox is running already.")
        app = application(self._state, needs_https=self._tls)
        self._certificate = Certificate() if self._tls else None
        try:
            tls = self._certificate.context if self._certificate else None
            self._server = Server(app, port=self._wanted_port, tls=tls)
            self._server.start()
            self._state.url = self.url
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all connections, free the port and remove the CA file. Calls and objects can still be read."""
        if self._server is not None:
            self._server.stop()
            self._served_connections = self._server.connections
            self._server = None
        self._state.events.delivery.stop()
        if self._certificate is not None:
            self._certificate.close()
            self._certificate = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("The sandbox is not running: use it inside `with Sandbox() as portal:`.")
        return self._server

    def stop_listening(self) -> None:
        """Refuse new connections from now on; those that are open stay."""
        self._running().stop_listening()

    # Address

    @property
    def host(self) -> str:
        return HOST

    @property
    def port(self) -> int:
        return self._running().port

    @property
    def url(self) -> str:
        """``https://127.0.0.1:PORT``"""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    @property
    def ca_file(self) -> str:
        """Path of the CA certificate (PEM) to trust; it is removed with the sandbox."""
        self._running()
        if self._certificate is None:
            raise RuntimeError("This sandbox speaks plain HTTP: there is no CA.")
        return str(self._certificate.ca_file)

    def _owner(self, user: User | None) -> User:
        check_user(user)
        return self.admin if user is None else user

    def user(self, user_id: int) -> User:
        """An employee; a change of ``rights``, ``sees_only_own`` or ``active`` holds from the next call on."""
        with self._state.lock:
            if user_id not in self._state.users:
                raise LookupError(f"There is no user {user_id}: there are {', '.join(map(str, self._state.users))}.")
            return self._state.users[user_id]

    def webhook(self, user: User | None = None) -> str:
        """``https://127.0.0.1:PORT/rest/1/CODE/`` of a user, the administrator's by default."""
        owner = self._owner(user)
        return f"{self.url}/rest/{owner.id}/{quote(owner.code)}/"

    def connection(self, user: User | None = None, **extra: Any) -> dict[str, Any]:
        """An Airflow connection of a user, as keyword arguments; ``extra`` is added to its extras."""
        owner = self._owner(user)
        trust: dict[str, Any] = {"verify": self.ca_file} if self._tls else {"allow_http": True}
        return {
            "conn_type": "bitrix24",
            "host": self.url,
            "login": str(owner.id),
            "password": owner.code,
            "extra": {**trust, **extra},
        }

    def connection_json(self, user: User | None = None, **extra: Any) -> str:
        """The same as text for ``AIRFLOW_CONN_BITRIX24_DEFAULT``."""
        return json.dumps(self.connection(user, **extra))

    # What happened

    @property
    def connections(self) -> int:
        """TCP connections accepted, also those on which nothing was said."""
        return self._server.connections if self._server else self._served_connections

    # Behaviour

    @property
    def clock(self) -> Clock:
        return self._state.clock

    @property
    def scopes(self) -> set[str]:
        """Scopes of the webhooks: change it to take some away."""
        return self._state.scopes

    @scopes.setter
    def scopes(self, scopes: set[str]) -> None:
        self._state.scopes = Scopes(scopes)

    @property
    def answers(self) -> MutableMapping[str, Any]:
        """
        Results that you set, by method; they win over what the sandbox itself would answer.

        ``portal.answers["crm.dealcategory.get"] = {"ID": 9}``. A list holds answers in turn, the last of which stays; a
        function gets the parameters and returns the result, or a ``Page`` of rows with ``total`` and ``next``.
        """
        return self._state.answers

    @property
    def plan_has_rest(self) -> bool:
        """Whether the portal's plan includes REST."""
        return self._state.plan_has_rest

    @plan_has_rest.setter
    def plan_has_rest(self, value: bool) -> None:
        check_bool("plan_has_rest", value)
        self._state.plan_has_rest = value

    @property
    def payment_site_phone_confirmed(self) -> bool:
        """Whether the site where customers pay has a confirmed phone: without, there are no links to payments."""
        return self._state.payment_site_phone_confirmed

    @payment_site_phone_confirmed.setter
    def payment_site_phone_confirmed(self, value: bool) -> None:
        check_bool("payment_site_phone_confirmed", value)
        self._state.payment_site_phone_confirmed = value

    def fault(
        self,
        kind: str,
        method: str = "*",
        times: int | None = 1,
        after: int = 0,
        probability: float = 1.0,
        seed: int = 0,
        **options: Any,
    ) -> Fault:
        """
        Let matching calls fail; see ``faults.KINDS`` for the kinds and their options.

        :param method: a pattern such as ``crm.item.payment.*``.
        :param times: so many calls, ``None`` for ever.
        :param after: let this many matching calls pass first.
        :raises ValueError: an unknown kind or option, or a slip in the method's name.
        """
        check_name(method)
        with self._state.lock:
            return self._state.faults.add(
                kind, method, times=times, after=after, probability=probability, seed=seed, **options
            )

    def clear_faults(self) -> None:
        with self._state.lock:
            self._state.faults.clear()
