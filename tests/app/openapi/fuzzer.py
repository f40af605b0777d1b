#!/usr/bin/env python3
"""Random requests that Schemathesis makes from the OpenAPI document.

Invariant: each response is a described one and no 5xx, and a guarded
operation needs a credential of the mechanism.
"""

import uuid
from collections.abc import Callable, Collection
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from tests.app.api.service import Service
from tests.e2e.server.accounts import PASSWORD

#: The checks of each response, by Schemathesis' names.
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
#: More checks for sequences: what was deleted is gone.
OF_SEQUENCES = ("use_after_free", "ensure_resource_availability")
#: Operations on a user who was added.
LINKED = (
    "addUser",
    "showUser",
    "nameUser",
    "deleteUser",
    "listSessionsOf",
)
QUIET = list(HealthCheck)
#: How often more requests are sent for an operation that none opened.
MAX_MORE_TURNS = 20

#: Returns the credential of a request: `cookies` or `headers`. It is
#: called for each request, because some requests end a session.
Credential = Callable[[], dict[str, dict[str, str]]]


def checks() -> list[Any]:
    """Return the checks that each response must pass."""
    load_all_checks()
    return CHECKS.get_by_names(list(NAMES))


class Fuzzer:
    """Sends random requests of one user to an application.

    `chance` is the seed of the requests; without one they are the same at
    each run.
    """

    def __init__(
        self, service: Service, credential: Credential, chance: str = ""
    ) -> None:
        """Read the OpenAPI document over HTTP, as any client would."""
        self.schema = schemathesis.openapi.from_wsgi(
            "/openapi.json", service.app
        )
        # Of two cookies of one name neither counts, so generate none.
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
        """Send `number` random requests for each operation."""
        for operation in self.operations():
            self.try_out(operation, number)

    def reach(self, wanted: Collection[str], number: int) -> set[str]:
        """Send more requests for those of the operations that none opened.

        What Hypothesis makes depends also on the modules that the process
        has loaded, so a few requests may all be refused. Return the
        operations that no request opened.
        """
        before = self._chance
        for turn in range(MAX_MORE_TURNS):
            self._chance = f"{before} turn {turn}"
            missing = set(wanted) - self.opened()
            for operation in self.operations() if missing else ():
                if operation.definition.raw["operationId"] in missing:
                    self.try_out(operation, number)
        self._chance = before
        return set(wanted) - self.opened()

    def try_out(self, operation: Any, number: int) -> None:
        """Send `number` requests for one operation, valid and invalid."""
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
            """Send one request and check its response."""
            self.send(case)

        self.seeded(attempt, operation.label)()

    def seeded(self, test: Any, name: str) -> Any:
        """Seed a test with the chance and its name.

        For Hypothesis, a seed overrides `derandomize`.
        """
        return seed(f"{self._chance} {name}")(test) if self._chance else test

    def send(self, case: Any) -> Response:
        """Send a request; every second one names an existing user."""
        self.asked += 1
        for name, known in self.places.items():
            if name in case.path_parameters and self.asked % 2:
                case.path_parameters[name] = known()
        given = self.credential()
        answer: Response = case.call(**given)
        self.note(case, answer)
        case.validate_response(answer, checks=self._checks)
        if not given and case.operation.definition.raw["security"]:
            # A page load is redirected to sign in. The rule of a proxy,
            # which is the query of verify, is checked before.
            refused = {401, 302, 403}
            if case.operation.path.endswith("/verify") and case.query:
                refused.add(400)
            assert answer.status_code in refused, case
            assert answer.status_code != 403 or is_credential(case), case
        return answer

    def note(self, case: Any, answer: Response) -> None:
        """Record the status that an operation returned."""
        name = case.operation.definition.raw["operationId"]
        self.seen.add((name, answer.status_code))

    def opened(self) -> set[str]:
        """Return the operations that succeeded."""
        return {name for name, status in self.seen if status < 300}


def sequences(fuzzer: Fuzzer, number: int) -> None:
    """Send `number` sequences of requests that begin with a new user."""
    held = [*checks(), *CHECKS.get_by_names(list(OF_SEQUENCES))]

    linked = fuzzer.schema.include(operation_id=list(LINKED))
    base: Any = linked.as_state_machine()

    class Machine(base):  # type: ignore[misc]
        """Follows the links of the description."""

        def before_call(self, case: Any) -> None:
            """Send valid users to `addUser`."""
            if case.operation.definition.raw["operationId"] == "addUser":
                email = f"{uuid.uuid4().hex}@example.com"
                case.body = {"email": email, "password": PASSWORD}

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            """Return the credential of the request."""
            return {**fuzzer.credential()}

        def validate_response(
            self, response: Response, case: Any, **more: Any
        ) -> None:
            """Check the response."""
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
    """Return True if a request may have a credential or be cross-site."""
    sent = {name.lower() for name in case.headers or {}}
    return bool(case.cookies) or bool(
        sent & {"authorization", "cookie", "origin", "sec-fetch-site"}
    )
