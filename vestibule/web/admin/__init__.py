#!/usr/bin/env python3
"""The admin's desk: users, sessions, events and figures, for admins.

Its law: it shows and does what the API shows and does, by the same
functions; what changes something asks first whether it is meant.
"""
