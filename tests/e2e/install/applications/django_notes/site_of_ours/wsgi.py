#!/usr/bin/env python3
"""The project as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_ours.settings")
app = get_wsgi_application()
