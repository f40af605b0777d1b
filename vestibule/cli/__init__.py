#!/usr/bin/env python3
"""The command line of the service."""


def main() -> None:
    """Run the command line."""
