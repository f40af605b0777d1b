#!/usr/bin/env python3
"""`completion`: what a shell needs to complete the commands."""

import click
from click.shell_completion import get_completion_class

from vestibule.core.command_line import COMMAND_NAME


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete the commands.

    It is for the installed command `vestibule`. In ~/.bashrc:

    eval "$(vestibule completion bash)"
    """
    from vestibule.cli import COMPLETION

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, COMMAND_NAME, COMPLETION)
    click.echo(script.source())
