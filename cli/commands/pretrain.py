"""``recsys-ae pretrain NAME``: fit an autoencoder to features; a command for each, made from its file."""

import dataclasses
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import feature_source, hyper_options, memory, options
from ..display import Display, epochs
from ..framework import Command, Option, suggestion
from ..mlflow_runs import Tracking
from ..param_types import Share
from ..report import show_memory
from ..training import Interrupted, chosen, command_line, run_settings

if TYPE_CHECKING:
    from recsys_ae.features.data.features import Features
    from recsys_ae.features.encoder import FeatureEncoder
    from recsys_ae.features.nn.contract import FeatureSpec


def shared() -> list[Option]:
    """Return the options that every autoencoder takes."""
    share = "Share of the rows, drawn with the seed, to choose the best epoch on; 0 keeps the last."
    return [
        *options.features(),
        Option(["--valid-share"], type=Share(), default=0.1, show_default=True, section=options.FEATURES, help=share),
        *options.run(),
        options.dry_run(),
    ]


class Pretrain(click.Group):
    """A group whose commands are the autoencoders in the library's folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the autoencoders."""
        from recsys_ae.features import models as autoencoders  # noqa: PLC0415

        return [name.replace("_", "-") for name in autoencoders.names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command of an autoencoder; this imports it."""
        from recsys_ae.features import models as autoencoders  # noqa: PLC0415

        name = cmd_name.replace("-", "_")
        if name not in autoencoders.names():
            known = self.list_commands(ctx)
            raise click.UsageError(f"there is no autoencoder {cmd_name!r}{suggestion(cmd_name, known)}", ctx)
        memory.thrifty()
        spec = autoencoders.spec_class(name)
        params = [*hyper_options.options(spec), *shared()]
        return Command(cmd_name, callback=partial(pretrain, spec), params=list(params), help=autoencoders.summary(name))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the autoencoders with a line on each, then what all of them take."""
        from recsys_ae.features import models as autoencoders  # noqa: PLC0415

        names = self.list_commands(ctx)
        with formatter.section("Autoencoders"):
            formatter.write_dl([
                (name, autoencoders.summary(name.replace("-", "_")).splitlines()[0]) for name in names
            ])  # fmt: skip
        Command("", params=list(shared())).format_options(ctx, formatter)


def pretrain(spec_class: type["FeatureSpec"], **given: Any) -> None:
    """Fit an autoencoder with the values of all options."""
    saved: list[Path] = []
    try:
        _pretrain(spec_class, given, saved)
    except KeyboardInterrupt:
        what = f"the model is saved in {saved[0]}" if saved else "nothing was saved"
        raise Interrupted(f"Interrupted: {what}") from None


def _pretrain(spec_class: type["FeatureSpec"], given: Mapping[str, Any], saved: list[Path]) -> None:
    from recsys_ae.features.encoder import FeatureEncoder  # noqa: PLC0415
    from recsys_ae.features.nn.footprint import memory as needed  # noqa: PLC0415
    from recsys_ae.recommender.preflight import check_features  # noqa: PLC0415
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    display = Display(quiet=given["quiet"])
    spec = chosen(spec_class, given)
    typed = spec.name().replace("_", "-")
    out = given["out"] or Path("models") / f"features-{typed}"
    if not given["dry_run"]:
        refuse_to_write(out, overwrite=given["overwrite"])
    run = run_settings(given)
    features = feature_source.read(given)
    train, valid = _divided(features, given["valid_share"], run.seed)
    display.line(
        f"{len(train):,} rows of {features.width:,} columns to learn from, {len(features) - len(train):,} aside"
    )
    check_features(spec, train, valid, run)
    show_memory(display, needed(spec, train, valid), run, whole=given["dry_run"])
    if given["dry_run"]:
        display.line("Dry run: nothing is learnt, and nothing saved.")
        return
    display.line(f"\nAutoencoder {typed} on {run.torch_device}, to be saved in {out}")
    model = FeatureEncoder(spec)
    model.notes = {"source": feature_source.written(given), "command": command_line()}
    monitor = str(getattr(spec, "monitor", "rmse"))
    with (
        Tracking.of_fit(on=given["track"], name=out.name) as tracking,
        epochs(quiet=given["quiet"], monitor=monitor) as progress,
    ):
        model.fit(train, valid=valid, run=dataclasses.replace(run, tracker=tracking.tracker, progress=progress))
        model.notes["mlflow"] = tracking.address
        model.save(out, overwrite=given["overwrite"])
        saved.append(out)
        tracking.finish(model, out)
    feature_source.say(model.metadata["remarks"])
    _show(display, model, out, valid)
    tracking.warn()


def _divided(features: "Features", share: float, seed: int) -> tuple["Features", "Features | None"]:
    """Put a share of the rows aside, at least one where any is wanted and two are there."""
    import numpy as np  # noqa: PLC0415

    n = min(max(1, round(share * len(features))), len(features) - 1) if share else 0
    if n < 1:
        return features, None
    order = np.random.default_rng(seed).permutation(len(features))
    return features.take(np.sort(order[n:])), features.take(np.sort(order[:n]))


def _show(display: Display, model: "FeatureEncoder", out: Path, valid: "Features | None") -> None:
    rows: list[tuple[str, Any]] = []
    if valid is not None:
        rows.append(("validation", f"rmse {model.error(valid):.4f} in the units of the features"))
    rows += [
        ("time", f"{model.metadata['seconds']:.1f} s"),
        ("saved", out),
        ("repeat", model.notes["command"]),
    ]
    display.line()
    display.pairs(rows)
    told = model.notes["source"]
    words = [word for one in told["features"] for word in ("--features", one)]
    words += ["--text-columns", ",".join(told["text_columns"])] if told["text_columns"] else []
    words += ["--id-column", told["id_column"]] if told["id_column"] else []
    source = shlex.join(words)
    display.line(f"\nNext:\n  recsys-ae encode {shlex.quote(str(out))} {source} --out vectors.parquet")


@click.group(cls=Pretrain, options_metavar="", subcommand_metavar="NAME [OPTIONS]")
def command() -> None:
    """Fit an autoencoder to item features and save it.

    `recsys-ae pretrain NAME --help` shows its own options too.
    """
