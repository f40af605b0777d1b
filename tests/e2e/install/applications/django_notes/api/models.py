#!/usr/bin/env python3
"""The users and notes of the project."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin, UserManager
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    """A user of the project, whose email is unique."""

    email = models.EmailField(unique=True)
    vestibule_id = models.CharField(max_length=64, unique=True, null=True)
    nickname = models.CharField(max_length=40, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = UserManager()
    USERNAME_FIELD = "email"


class Note(models.Model):
    """A note of a user."""

    owner = models.ForeignKey(Person, models.CASCADE)
    text = models.TextField()
