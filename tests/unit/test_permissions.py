#!/usr/bin/env python3
"""Permissions by role and policy: what is unknown is forbidden."""

import itertools

import pytest

from vestibule.accounts.permissions import Action, Actor, Policy, is_allowed

#: What the contract of the API leaves open.
OPEN = {
    Action.LIST_USERS,
    Action.ADD_USER,
    Action.SHOW_USER,
    Action.NAME_USER,
    Action.DELETE_USER,
}
OWN = {Action.SHOW_USER, Action.NAME_USER, Action.DELETE_USER}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("target", ["me", "other", None])
def test_member_may_do_what_the_policy_allows(
    action: Action, target: str | None
) -> None:
    """Under `open` all that the contract has; under `self` one's own."""
    member = Actor("me", "member")
    assert is_allowed(member, action, target, Policy.OPEN) is (action in OPEN)
    assert is_allowed(member, action, target, Policy.SELF) is (
        action in OWN and target == "me"
    )


@pytest.mark.parametrize("action", Action)
def test_admin_may_do_everything(action: Action) -> None:
    """Under both policies."""
    for policy, target in itertools.product(Policy, ("me", "other", None)):
        assert is_allowed(Actor("me", "admin"), action, target, policy)


@pytest.mark.parametrize("action", Action)
def test_anonymous_actor_is_no_admin_and_no_owner(action: Action) -> None:
    """An actor without an id does not own an account without one."""
    for role in (None, "member", "admin"):
        anonymous = Actor(None, role)
        assert is_allowed(anonymous, action, None, Policy.OPEN) is (
            action in OPEN
        )
        assert not is_allowed(anonymous, action, None, Policy.SELF)


@pytest.mark.parametrize("role", [None, "", "Admin", "owner", "admin "])
def test_unknown_role_counts_as_member(role: str | None) -> None:
    """It is treated as a member's, not as an admin's."""
    actor = Actor("me", role)
    assert not is_allowed(actor, Action.SET_ROLE, "me", Policy.OPEN)
    assert not is_allowed(actor, Action.LIST_USERS, None, Policy.SELF)
    assert is_allowed(actor, Action.SHOW_USER, "me", Policy.SELF)
