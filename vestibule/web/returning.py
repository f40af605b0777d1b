#!/usr/bin/env python3
"""Where a person goes after signing in: back to where they came from."""

from api.v1.request import current_request
from vestibule import settings
from vestibule.return_address import PARAMETER, safe_return


def way_back() -> str | None:
    """Return the address that the request has for it, if it is safe."""
    return safe_return(
        current_request().values.get(PARAMETER),
        settings.ALLOWED_RETURN_HOSTS.read(),
    )
