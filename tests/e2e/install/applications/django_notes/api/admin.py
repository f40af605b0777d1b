#!/usr/bin/env python3
"""The pages for admins."""

from django.contrib import admin

from api.models import Note

admin.site.register(Note)
