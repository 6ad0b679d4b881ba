"""``recsys-ae fit MODEL``: a command for each model, made from the model's file."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .. import config, options
from ..framework import Command, Option, suggestion


def shared(*, rated: bool = False) -> list[Option]:
    """Return the options that every model takes; some defaults are others for a model that learns from ratings."""
    return [
        options.data(),
        options.data_dir(),
        options.cache(),
        *options.columns(),
        options.item_features(),
        *options.filters(rated=rated),
        *options.splits(rated=rated),
        *options.run(),
        options.dry_run(),
    ]


class Fit(click.Group):
    """A group whose commands are the models in the library's folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the models."""
        from recsys_ae import models  # noqa: PLC0415

        return [name.replace("_", "-") for name in models.names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of a model; this imports the model."""
        from recsys_ae import models  # noqa: PLC0415

        from .. import hyper_options, memory, training  # noqa: PLC0415

        name = cmd_name.replace("-", "_")
        if name not in models.names():
            raise click.UsageError(
                f"there is no model {cmd_name!r}{suggestion(cmd_name, self.list_commands(ctx))}", ctx
            )
        memory.thrifty()
        spec = models.spec_class(name)
        params = [*hyper_options.options(spec), *shared(rated=spec.feedback == "explicit")]
        return Command(cmd_name, callback=partial(training.fit, spec), params=list(params), help=models.summary(name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the model first, wherever it stands; it may also stand in the configuration file."""
        if args and not args[0].startswith("-"):
            return super().parse_args(ctx, args)
        valued = {name for option in shared() if not option.is_flag for name in option.opts}
        for place, (before, word) in enumerate(zip(["", *args], args, strict=False)):
            if before not in valued and word.replace("_", "-") in self.list_commands(ctx):
                return super().parse_args(ctx, [word, *args[:place], *args[place + 1 :]])
        if "--help" in args:
            return super().parse_args(ctx, ["--help"])
        return super().parse_args(ctx, [_configured(ctx, args), *args])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the models with a line on each, then what all of them take."""
        from recsys_ae import models  # noqa: PLC0415

        names = self.list_commands(ctx)
        with formatter.section("Models"):
            formatter.write_dl([(name, models.summary(name.replace("-", "_")).splitlines()[0]) for name in names])
        Command("", params=list(shared())).format_options(ctx, formatter)


def _configured(ctx: click.Context, args: list[str]) -> str:
    """Return the model that a configuration file names."""
    for place, word in enumerate(args):
        name, _, value = word.partition("=")
        if name == "--config":
            path = value or "".join(args[place + 1 : place + 2])
            model: Any = config.read(Path(path), ctx).get(config.MODEL)
            if isinstance(model, str):
                return model
    raise click.UsageError("which model? Its name comes first: recsys-ae fit MODEL; `recsys-ae models` lists them", ctx)


@click.group(cls=Fit, options_metavar="", subcommand_metavar="MODEL [OPTIONS]")
def command() -> None:
    """Fit a model and save it.

    `recsys-ae fit MODEL --help` shows the model's own options too.
    """
