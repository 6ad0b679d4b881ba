"""The command ``recsys-ae``: its subcommands and its global options."""

import click

from ..framework import LazyGroup
from ._session import Session

MODULES = {
    "fit": ".commands.fit",
    "blend": ".commands.blend",
    "refit": ".commands.refit",
    "evaluate": ".commands.evaluate",
    "compare": ".commands.compare",
    "report": ".commands.report",
    "tune": ".commands.tune",
    "recommend": ".commands.recommend",
    "predict": ".commands.predict",
    "similar": ".commands.similar",
    "models": ".commands.models",
    "pretrain": ".commands.pretrain",
    "encode": ".commands.encode",
    "autoencoders": ".commands.autoencoders",
    "study": ".commands.study",
    "data": ".commands.data",
    "doctor": ".commands.doctor",
}


def _version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"recsys-ae {version('recsys-ae')}")
        ctx.exit()


@click.group(cls=LazyGroup, modules=MODULES)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def root(ctx: click.Context, debug: bool) -> None:
    """Autoencoder recommenders: from ratings to recommendations.

    Start with `recsys-ae fit mult-vae`, which uses the embedded sample data.
    """
    ctx.ensure_object(Session).debug = debug
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
