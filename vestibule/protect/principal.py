#!/usr/bin/env python3
"""Who sends a request, as an application sees them."""

from dataclasses import dataclass, field

from vestibule.naming import display_name

#: Where the principal of a request stands: in the environment of WSGI, in
#: the scope of ASGI. No header of a request gets there.
PRINCIPAL = "vestibule.principal"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who is signed in.

    What says more than the id about a person is not shown in a `repr`,
    because those end up in logs.
    """

    id: str
    email: str | None = field(default=None, repr=False)
    role: str = ""
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Return the names, or the one there is, or the email, or ""."""
        return display_name(self.first_name, self.last_name, self.email)
