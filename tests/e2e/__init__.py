#!/usr/bin/env python3
"""Tests over sockets: servers, proxies, processes and installations."""
