#!/usr/bin/env python3
"""What to install where a part of the package misses what it imports.

`pip install vestibule` brings a client alone; the service and the adapters
of the frameworks come with the extras that pyproject.toml names.
"""


def install_hint(error: ModuleNotFoundError, extra: str) -> str:
    """Return a message that names the missing module and the `extra`.

    Raise `error` again if a module of Vestibule itself is missing: no
    extra brings that.
    """
    missing = (error.name or "").partition(".")[0]
    if missing in ("", "vestibule"):
        raise error
    return (
        f"the Python package {missing} is not installed;"
        f' install it with: pip install "vestibule[{extra}]"'
    )
