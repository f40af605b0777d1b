#!/usr/bin/env python3
"""HTML pages: sign-in, the user's account, setup and administration.

Pages call the same services as the API and add no rules of their own.
They work without JavaScript and load nothing from other hosts.
"""
