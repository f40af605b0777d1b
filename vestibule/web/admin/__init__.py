#!/usr/bin/env python3
"""The admin pages: users, sessions, events and statistics.

They show and do what the admin API does, by the same functions. Every
action that changes something has a confirmation page.
"""
