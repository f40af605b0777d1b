#!/usr/bin/env python3
"""Where a person goes after signing in: back to where they came from.

Its law: an address is taken whole or not at all; what browsers repair, or
read in another way than this does, is refused (OWASP ASVS 5.0, 3.7.2).
"""

import re

from api.v1.request import current_request

#: The field that has the address, in addresses and in forms.
PARAMETER = "return_to"
# A path of this host in printable ASCII, without the backslash, which
# browsers read as a slash.
_PATH = re.compile(r"/(?![/\\])[!#-;=?-\[\]-~]{0,2047}")


def way_back() -> str | None:
    """Return the address that the request has for it, if it is safe."""
    request = current_request()
    address = request.values.get(PARAMETER)
    if address is None or not _PATH.fullmatch(address):
        return None
    return address
