#!/usr/bin/env python3
"""Requests of any kind, made by Schemathesis from the description.

Its law: whatever is sent, the answer is one that is described, and no
5xx; a credential of the mechanism alone opens what is guarded.
"""

import uuid
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from tests.app.api.service import Service
from tests.e2e.server.accounts import PASSWORD

#: What must not happen, by Schemathesis' own names.
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
#: And not in a sequence either: what was deleted is gone.
OF_SEQUENCES = ("use_after_free", "ensure_resource_availability")
#: What can be done to somebody who was added.
LINKED = (
    "addUser",
    "showUser",
    "nameUser",
    "deleteUser",
    "listSessionsOf",
)
QUIET = list(HealthCheck)

#: Returns what somebody's requests bring: `cookies` or `headers`. It is
#: asked for each request, because some requests end a session.
Credential = Callable[[], dict[str, dict[str, str]]]


def checks() -> list[Any]:
    """Return what each answer is held against."""
    load_all_checks()
    return CHECKS.get_by_names(list(NAMES))


class Fuzzer:
    """An application, asked by one person, as often as it is told.

    A `chance` says which requests are made up; without one they are the
    same at each run.
    """

    def __init__(
        self, service: Service, credential: Credential, chance: str = ""
    ) -> None:
        """Read the description as a stranger would: over the wire."""
        self.schema = schemathesis.openapi.from_wsgi(
            "/openapi.json", service.app
        )
        # Of two cookies of one name neither counts: no other is made up.
        self.schema.config.generation.update(with_security_parameters=False)
        self.credential = credential
        #: Operations with the statuses that they answered by.
        self.seen: set[tuple[str, int]] = set()
        self._checks = checks()
        self._chance = chance
        self.asked = 0
        #: Ids that the parts of a path may be, beside those made up.
        self.places: dict[str, Callable[[], str]] = {}

    def operations(self) -> list[Any]:
        """Return the operations of the description."""
        found: list[Any] = [*self.schema.get_all_operations()]
        return [one.ok() for one in found]

    def run(self, number: int) -> None:
        """Send each operation so many requests of any kind."""
        for operation in self.operations():
            self.try_out(operation, number)

    def try_out(self, operation: Any, number: int) -> None:
        """Send one operation so many requests, well-formed and not."""
        kinds = operation.as_strategy() | operation.as_strategy(
            GenerationMode.NEGATIVE
        )

        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=QUIET,
            phases=[Phase.generate],
        )
        @given(case=kinds)
        def attempt(case: Any) -> None:
            """Send one request, and look at what it is answered."""
            self.send(case)

        self.seeded(attempt, operation.label)()

    def seeded(self, test: Any, name: str) -> Any:
        """Let the chance choose what a test of this name makes up.

        For Hypothesis, a seed outdoes `derandomize`.
        """
        return seed(f"{self._chance} {name}")(test) if self._chance else test

    def send(self, case: Any) -> Response:
        """Send a request; every second one is about somebody there is."""
        self.asked += 1
        for name, known in self.places.items():
            if name in case.path_parameters and self.asked % 2:
                case.path_parameters[name] = known()
        given = self.credential()
        answer: Response = case.call(**given)
        self.note(case, answer)
        case.validate_response(answer, checks=self._checks)
        if not given and case.operation.definition.raw["security"]:
            # A page that is loaded is led to where to sign in.
            assert answer.status_code in (401, 302, 403), case
            assert answer.status_code != 403 or is_credential(case), case
        return answer

    def note(self, case: Any, answer: Response) -> None:
        """Keep which operation was answered, and how."""
        name = case.operation.definition.raw["operationId"]
        self.seen.add((name, answer.status_code))

    def opened(self) -> set[str]:
        """Return the operations that did what they are there for."""
        return {name for name, status in self.seen if status < 300}


def sequences(fuzzer: Fuzzer, number: int) -> None:
    """Send so many sequences: add somebody, and do things to them."""
    held = [*checks(), *CHECKS.get_by_names(list(OF_SEQUENCES))]

    linked = fuzzer.schema.include(operation_id=list(LINKED))
    base: Any = linked.as_state_machine()

    class Machine(base):  # type: ignore[misc]
        """Follows the links of the description."""

        def before_call(self, case: Any) -> None:
            """Add people who may be added."""
            if case.operation.definition.raw["operationId"] == "addUser":
                email = f"{uuid.uuid4().hex}@example.com"
                case.body = {"email": email, "password": PASSWORD}

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            """Ask as the one person does."""
            return {**fuzzer.credential()}

        def validate_response(
            self, response: Response, case: Any, **more: Any
        ) -> None:
            """Look at the answer."""
            fuzzer.asked += 1
            fuzzer.note(case, response)
            case.validate_response(
                response, checks=held, transport_kwargs=fuzzer.credential()
            )

    fuzzer.seeded(Machine, "sequences").run(
        settings=settings(
            max_examples=number,
            stateful_step_count=8,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=QUIET,
            phases=[Phase.generate],
        )
    )


def is_credential(case: Any) -> bool:
    """Tell whether a request brings something that may be a credential,
    or whether it says that another site is behind it.
    """
    sent = {name.lower() for name in case.headers or {}}
    return bool(case.cookies) or bool(
        sent & {"authorization", "cookie", "origin", "sec-fetch-site"}
    )
