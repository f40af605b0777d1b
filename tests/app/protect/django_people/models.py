#!/usr/bin/env python3
"""A user model whose users log in by a unique email."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin, UserManager
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):  # type: ignore[misc]
    """A user without names, and with fields of the project's own."""

    email = models.EmailField(unique=True)
    vestibule_id = models.CharField(max_length=64, unique=True, null=True)
    title = models.CharField(max_length=40, blank=True)
    greeted = models.BooleanField(default=False)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = UserManager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
