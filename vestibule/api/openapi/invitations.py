#!/usr/bin/env python3
"""Declarations of the routes that invite users, and list and revoke that."""

from vestibule.api.openapi.admin import (
    PAGE_PARAMETERS,
    choice,
    list_operation,
)
from vestibule.api.openapi.operation import (
    REAUTH_REQUIRED,
    BodySpec,
    ResponseSpec,
)
from vestibule.db.invitations import INVITATION_SORTS

INVITATION_OPERATIONS = (
    list_operation(
        "POST",
        "/api/v1/admin/users",
        "inviteUser",
        "Invite a user, who sets a password with a one-time code",
        {
            201: ResponseSpec(
                "The user, and the code. It is not shown again.", "Invited"
            )
        },
        text=REAUTH_REQUIRED,
        body=BodySpec("Invitation"),
    ),
    list_operation(
        "GET",
        "/api/v1/admin/invitations",
        "listInvitations",
        "List the open invitations",
        {200: ResponseSpec("A page of invitations.", "InvitationsPage")},
        (
            choice(
                "sort",
                "The order: a column, descending after a minus sign. The"
                " newest invitations come first without it.",
                "expires",
                INVITATION_SORTS,
            ),
            *PAGE_PARAMETERS,
        ),
    ),
    list_operation(
        "DELETE",
        "/api/v1/admin/invitations/<user_id>",
        "revokeInvitation",
        "Revoke an open invitation",
        {
            200: ResponseSpec("The link and the code are dead.", "Empty"),
            404: ResponseSpec("The user has no open invitation."),
        },
        text=REAUTH_REQUIRED,
    ),
)
