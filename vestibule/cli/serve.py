#!/usr/bin/env python3
"""`serve`: start the server."""

import click


@click.command()
def serve() -> None:
    """Start the server, as `python3 -m vestibule.api.app` does."""
    # Flask and granian are loaded when it starts, not for its help.
    from vestibule.server.granian import main as start

    start()
