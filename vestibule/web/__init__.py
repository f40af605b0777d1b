#!/usr/bin/env python3
"""Pages for people: sign in, the account, its sessions, the first run.

Its law: a page calls the functions that the API calls, and decides
nothing that they decide; it works without scripts, and loads nothing
from another host.
"""
