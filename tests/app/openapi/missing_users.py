#!/usr/bin/env python3
"""Requests about the own account, where there are no users."""

from tests.app.openapi.operation_client import OperationClient


def without_users(scene: OperationClient) -> None:
    """Request the account routes without a mechanism."""
    for name in (
        "showMe",
        "showMyAccess",
        "changeEmail",
        "changePassword",
        "deleteMe",
    ):
        assert scene.send(name) == 404
