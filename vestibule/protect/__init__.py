#!/usr/bin/env python3
"""Adapters by which other applications learn who their users are.

They fail closed: an unidentified request is anonymous; if the user cannot
be determined, the response is 503. The module for one framework imports
no other framework.
"""
