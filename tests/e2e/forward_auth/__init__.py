#!/usr/bin/env python3
"""Vestibule before an application, behind real proxies as they ship."""
