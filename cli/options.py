"""The options that several commands share, each written once."""

import click

from . import config, data_options
from .framework import OTHER, Option
from .param_types import FILE, Names, Whole

DATA, RUN, FEATURES = data_options.DATA, "Run", "Features"
data, data_dir, columns = data_options.data, data_options.data_dir, data_options.columns
filters, splits = data_options.filters, data_options.splits


def cache() -> Option:
    """Return the option that turns the binary copies of what was read off."""
    help = (
        "Keep what was read from 10 MB or more in binary form beside it, else in your cache folder, for the next start."
    )
    return Option(["--cache/--no-cache"], default=True, show_default=True, section=DATA, help=help)


def data_argument() -> click.Argument:
    """Return the same as an argument."""
    return click.Argument(["data"], metavar="NAME|PATH")


def k(help: str, section: str = OTHER) -> Option:
    """Return the option for the length of a list."""
    return Option(["--k"], type=Whole(1), default=10, show_default=True, metavar="NUMBER", section=section, help=help)


WHERE_FEATURES_ARE = (
    "A table (CSV, Parquet), npy, npz, an idx file or a folder of pictures; or ml-1m, mnist, ...; behind a colon which "
    "columns: items.csv:year,budget, ml-1m:genres,plots."
)


def item_features() -> Option:
    """Return the option that names features of the items that a recommender learns from."""
    help = (
        "Features of items, as `recsys-ae encode` writes them, or any others: the item tables of a neural model begin "
        f"with them, and every model learns to rank new items by theirs. {WHERE_FEATURES_ARE} May be given more than "
        "once; features are joined by their ids."
    )
    return Option(["--item-features"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=DATA, help=help)


def features(*, fitted: bool = False) -> list[Option]:
    """Return where features come from; an encoder that was fitted reads them as it did then."""

    def usual(value: str) -> str:
        return "[default: as in the fit]" if fitted else f"[default: {value}]"

    what = WHERE_FEATURES_ARE
    id = "Column with the ids of a table.  [default: item, movieId, ... or the first]"
    texts = "Columns of a table that are texts, whose words are counted, with commas between."
    sides = "Pixels of each side that pictures of a folder are scaled to."
    steps = "Last steps of a history that count (NAME:histories)."
    again = "May be given more than once; features are joined by their ids."
    return [
        Option(
            ["--features"], required=True, multiple=True, metavar="FILE|NAME[:COLUMNS]", section=FEATURES,
            help=f"{what} {again}",
        ),
        Option(["--id-column"], metavar="NAME", section=FEATURES, help=id),
        Option(["--text-columns"], type=Names(), metavar="NAME,...", section=FEATURES, help=texts),
        Option(["--image-size"], type=Whole(1), metavar="NUMBER", section=FEATURES, help=f"{sides}  {usual('64')}"),
        Option(["--history-steps"], type=Whole(1), metavar="NUMBER", section=FEATURES, help=f"{steps}  {usual('50')}"),
        data_dir(),
    ]  # fmt: skip


def device() -> Option:
    """Return the option that says where a model computes."""
    help = "auto (a GPU where there is one), cpu, cuda, cuda:1, ..."
    return Option(["--device"], default="auto", show_default=True, metavar="NAME", section=RUN, help=help)


def overwrite(what: str) -> Option:
    """Return the option that allows to replace what is there."""
    return Option(["--overwrite"], is_flag=True, section=RUN, help=f"Replace {what} that is there.")


def track(help: str) -> Option:
    """Return the option that turns tracking off."""
    return Option(["--track/--no-track"], default=True, section=RUN, help=help)


def tracking_uri() -> Option:
    """Return the option that names the store of a fit's run."""
    help = (
        "Address of the MLflow store with the run of the fit; one that the model names is used only if it is this.  "
        "[default: $MLFLOW_TRACKING_URI, else mlflow.db here]"
    )
    return Option(["--tracking-uri"], metavar="URI", section=RUN, help=help)


def dry_run() -> Option:
    """Return the option that stops before the training."""
    help = "Stop before the training; tell what memory it needs."
    return Option(["--dry-run"], is_flag=True, section=RUN, help=help)


def run() -> list[Option]:
    """Return the circumstances of a fit."""
    seed = "What the training is drawn with."
    out = "Folder for the model.  [default: models/<data>-<model>]"
    file = "Options from a TOML file, under the same names; those typed here win."
    precision = click.Choice(["auto", "fp32", "tf32", "bf16", "fp16"])
    return [
        Option(["--seed"], type=Whole(0, 2**63 - 1), default=0, show_default=True, section=RUN, help=seed),
        device(),
        Option(["--precision"], type=precision, default="auto", show_default=True, section=RUN, help="Of products."),
        Option(["--threads"], type=Whole(1), section=RUN, help="CPU threads.  [default: all]"),
        Option(["--out"], type=FILE, metavar="DIR", section=RUN, help=out),
        overwrite("a model"),
        track("Write the course of the run to MLflow: $MLFLOW_TRACKING_URI, else mlflow.db here."),
        Option(["--quiet"], is_flag=True, section=RUN, help="Print nothing but warnings and errors."),
        Option(
            ["--config"],
            type=FILE,
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=config.load,
            section=RUN,
            help=file,
        ),
    ]
