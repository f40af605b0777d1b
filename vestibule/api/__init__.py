#!/usr/bin/env python3
"""Version 1 of the HTTP API: the application, its views, its description."""

from vestibule.core.command_line import refuse_windows

refuse_windows()
