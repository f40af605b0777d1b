#!/usr/bin/env python3
"""Requests of the admin lists that must succeed, also page by page."""

from typing import Any

from flask.testing import FlaskClient


def fetch(client: FlaskClient, path: str, **query: Any) -> Any:
    """Return the JSON of a request that must succeed."""
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def fetch_all(
    client: FlaskClient, path: str, name: str, **query: Any
) -> list[dict[str, Any]]:
    """Return all rows of a list, page by page."""
    rows: list[dict[str, Any]] = []
    page = fetch(client, path, **query)
    while page["next"] is not None:
        rows += page[name]
        page = fetch(client, path, after=page["next"], **query)
    return [*rows, *page[name]]
