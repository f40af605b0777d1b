#!/usr/bin/env python3
"""What an admin asks of users, sessions and events, without a request."""
