#!/usr/bin/env python3
"""`serve`: start the server."""

import click


@click.command()
def serve() -> None:
    """Start the server, as `python3 -m api.v1.app` does."""
    # Flask and granian are loaded when it starts, not for its help.
    from api.v1.app import main as start

    start()
