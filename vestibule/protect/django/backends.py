#!/usr/bin/env python3
"""The backend that mirrors users of a Vestibule into the user model.

A user is found by the id at Vestibule and by nothing else. An email is
not confirmed, so it never connects a user with an existing account.
"""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from vestibule.core.assurance import Role
from vestibule.protect.django.configuration import setting
from vestibule.protect.verify_response import Principal

_log = logging.getLogger(__name__)


class VestibuleBackend(ModelBackend):  # type: ignore[misc]
    """Authenticates the `Principal` that the middleware found.

    `user_fields` and `configure_user` are for subclasses. Permissions are
    those of the user and of the groups: each role is a group of its name.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        vestibule_principal: Principal | None = None,
        **credentials: Any,
    ) -> Any:
        """Return the project's user for a principal, created if new.

        `None` without a principal, for a user who is not active in this
        project, and if another account has a unique value of this one.
        """
        if vestibule_principal is None:
            return None
        user = self._mirror(request, vestibule_principal)
        if user is None or not self.user_can_authenticate(user):
            return None
        return user

    def user_fields(self, principal: Principal) -> dict[str, Any]:
        """Return the fields of the user model that follow Vestibule.

        They are stored whenever they differ. A subclass adds its own.
        """
        wanted = {
            "email": principal.email or "",
            "first_name": principal.first_name or "",
            "last_name": principal.last_name or "",
            "is_staff": principal.role
            in setting("VESTIBULE_STAFF_ROLES", (Role.ADMIN,)),
            "is_superuser": principal.role
            in setting("VESTIBULE_SUPERUSER_ROLES", ()),
        }
        return {
            name: _shortened(_field(name), value)
            for name, value in wanted.items()
            if _field(name) is not None
        }

    def configure_user(
        self,
        request: HttpRequest | None,
        user: Any,
        principal: Principal,
        created: bool,
    ) -> None:
        """Change a `user` that was created or updated just now.

        It runs in the transaction that stores the user. By default it
        keeps the user in the group of their role only, among the groups
        of roles; other groups are the project's own.
        """
        if not hasattr(user, "groups"):
            return
        roles = [role.value for role in Role]
        group, _ = Group.objects.get_or_create(name=principal.role)
        user.groups.remove(
            *Group.objects.filter(name__in=roles).exclude(pk=group.pk)
        )
        user.groups.add(group)

    def _mirror(
        self, request: HttpRequest | None, principal: Principal
    ) -> Any:
        """Return the user of the project, stored if something differs."""
        users, key = (
            get_user_model()._default_manager,
            {_id_field(): principal.id},
        )
        fields = self.user_fields(principal)
        user = users.filter(**key).first()
        if user is not None and is_password_usable(user.password):
            # A local account with a password took this id.
            _log.error("a local account has the id of a Vestibule user")
            return None
        if user is not None and self._is_current(user, principal, fields):
            return user
        try:
            return self._store(request, user, principal, {**key, **fields})
        except IntegrityError as error:
            # Another request may have created the user just now.
            user = users.filter(**key).first()
            if user is None or not self._is_current(user, principal, fields):
                _log.error(
                    "user %s of Vestibule has a value that another account of"
                    " this project has: %s",
                    principal.id,
                    type(error).__name__,
                )
                return None
            return user

    def _store(
        self,
        request: HttpRequest | None,
        user: Any,
        principal: Principal,
        fields: dict[str, Any],
    ) -> Any:
        """Update a `user`, or create one if there is none; return it.

        As `update_or_create`, but the first statement of the transaction
        writes: SQLite lets no transaction that has read wait for another
        one's write.
        """
        model = get_user_model()
        with transaction.atomic():
            created = user is None
            if created:
                user = model(**fields)
                user.set_unusable_password()
                user.save(force_insert=True)
            else:
                for name, value in fields.items():
                    setattr(user, name, value)
                user.save(update_fields=fields)
            self.configure_user(request, user, principal, created)
        return user

    def _is_current(
        self, user: Any, principal: Principal, fields: dict[str, Any]
    ) -> bool:
        """Return True if nothing has to be stored."""
        if any(getattr(user, key) != value for key, value in fields.items()):
            return False
        if not hasattr(user, "groups"):
            return True
        roles = [role.value for role in Role]
        held = user.groups.filter(name__in=roles)
        return [group.name for group in held] == [principal.role]


def _id_field() -> str:
    """Return the field of the user model that has the id at Vestibule.

    Raise `ImproperlyConfigured` unless it is unique: two accounts with one
    id would be one user's.
    """
    name: str = setting("VESTIBULE_ID_FIELD", get_user_model().USERNAME_FIELD)
    field = _field(name)
    if field is None or not field.unique or name == "email":
        raise ImproperlyConfigured(
            "VESTIBULE_ID_FIELD must name a unique field of the user model"
            " for the ids of Vestibule, which is not the email"
        )
    return name


def _field(name: str) -> Any:
    """Return a field of the user model, or `None`."""
    try:
        return get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _shortened(field: Any, value: Any) -> Any:
    """Return `value` as the column can hold it."""
    if isinstance(value, str) and field.max_length is not None:
        return value[: field.max_length]
    return value
