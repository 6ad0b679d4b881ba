"""``recsys-ae data``: commands on data, without a model."""

import click

from ..framework import LazyGroup

MODULES = {
    "list": ".commands.data_list",
    "fetch": ".commands.data_fetch",
    "describe": ".commands.data_describe",
    "split": ".commands.data_split",
}


@click.group(cls=LazyGroup, modules=MODULES)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, fetch, describe and split data."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
