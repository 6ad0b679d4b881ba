"""The options that several commands share, each written once."""

import click

from . import config
from .framework import OTHER, Option
from .param_types import AUTO, FILE, NONE, Column, Names, Rating, Separator, Share, Users, Whole

DATA, FILTERS, SPLIT, RUN, FEATURES = "Data", "Filters", "Split", "Run", "Features"
SPLITS = ("strong", "weak", "leave-last", "time", "ratings", "given", "none")
FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")


def data_dir() -> Option:
    """Return the option that says where archives lie."""
    help = (
        "Where the publishers' archives lie, or are downloaded to.  [default: $RECSYS_AE_DATA, else your cache folder]"
    )
    return Option(["--data-dir"], type=FILE, metavar="DIR", section=DATA, help=help)


def cache() -> Option:
    """Return the option that turns the binary copies of what was read off."""
    help = (
        "Keep what was read from 10 MB or more in binary form beside it, else in your cache folder, for the next start."
    )
    return Option(["--cache/--no-cache"], default=True, show_default=True, section=DATA, help=help)


def columns() -> list[Option]:
    """Return how a file of interactions is read."""

    def column(what: str) -> Option:
        help = f"Name, or position from 0, of the column with {what}."
        return Option([f"--{what.split(maxsplit=1)[0]}-column"], type=Column(), metavar="NAME", section=DATA, help=help)

    encoding = "Encoding of a text file."
    repeated = "What to do with a pair of user and item that occurs again."
    return [
        column("user ids"),
        column("item ids"),
        column("rating values"),
        column("timestamp values"),
        Option(["--separator"], type=Separator(), metavar="TEXT", section=DATA, help="What stands between columns."),
        Option(["--header/--no-header"], default=None, section=DATA, help="Whether the first line names the columns."),
        Option(["--encoding"], default="utf-8", show_default=True, metavar="NAME", section=DATA, help=encoding),
        Option(
            ["--duplicates"],
            type=click.Choice(["last", "sum", "error"]),
            default="last",
            show_default=True,
            section=DATA,
            help=repeated,
        ),
    ]


def data() -> Option:
    """Return the option that names the data."""
    help = "A data set by its name (see `recsys-ae data list`), or a file of interactions."
    return Option(["--data"], default="sample", show_default=True, metavar="NAME|PATH", section=DATA, help=help)


def data_argument() -> click.Argument:
    """Return the same as an argument."""
    return click.Argument(["data"], metavar="NAME|PATH")


def k(help: str, section: str = OTHER) -> Option:
    """Return the option for the length of a list."""
    return Option(["--k"], type=Whole(1), default=10, show_default=True, metavar="NUMBER", section=section, help=help)


def filters(*, rated: bool = False) -> list[Option]:
    """Return which interactions are kept: by a model that learns from ratings, all, or by others."""
    rating = (
        "Keep ratings from here on, each as 1; `none` keeps all as they are.  "
        "[default: 4 if there are ratings; none with --split ratings]"
    )
    if rated:
        rating = "`none`: this model learns from all ratings as they are.  [default: none]"
    users = "Keep users with at least this many items.  [default: 5; 0 with --split given]"
    items = "Keep items with at least this many users."
    core = "Repeat both until nothing more goes: a k-core."
    count = Whole(0)
    return [
        Option(
            ["--min-rating"],
            type=Rating(),
            default=NONE if rated else AUTO,
            metavar="NUMBER",
            section=FILTERS,
            help=rating,
        ),
        Option(["--min-user-items"], type=count, metavar="NUMBER", section=FILTERS, help=users),
        Option(["--min-item-users"], type=count, default=0, show_default=True, section=FILTERS, help=items),
        Option(["--k-core"], is_flag=True, section=FILTERS, help=core),
    ]


def splits(*, rated: bool = False) -> list[Option]:
    """Return how the data are divided: for a model that learns from ratings, or for others."""
    how = (
        "strong: whole users are held out; weak: a share of each user's items; leave-last: each user's last; "
        "time: all after a moment; ratings: a tenth of all ratings to choose the epoch on, and a tenth to test; "
        "given: the publisher's parts; none: learn from everything."
    )
    usual = "ratings" if rated else "strong"
    fold = "Which of the published folds of ml-100k (given only).  [default: u1]"
    recipe = "Divide exactly as that paper did (strong only)."
    seed = "What the division is drawn with."
    valid = "Users to choose the best epoch on: a number, or a share (strong only).  [default: 0.1]"
    test = "Users to judge the model on: a number, or a share (strong only).  [default: 0.1]"
    share = "Share of the interactions to choose the best epoch on (weak, time, ratings, given).  [default: 0.1]"
    given = "The test part, where --data is the training part (given only)."
    return [
        Option(["--split"], type=click.Choice(SPLITS), default=usual, show_default=True, section=SPLIT, help=how),
        Option(["--split-recipe"], type=click.Choice(["liang2018"]), section=SPLIT, help=recipe),
        Option(["--split-seed"], type=Whole(0, 2**32 - 1), default=98765, show_default=True, section=SPLIT, help=seed),
        Option(["--valid-users"], type=Users(least=0), section=SPLIT, help=valid),
        Option(["--test-users"], type=Users(least=1), section=SPLIT, help=test),
        Option(["--valid-share"], type=Share(), metavar="NUMBER", section=SPLIT, help=share),
        Option(["--test-data"], type=FILE, metavar="FILE", section=SPLIT, help=given),
        Option(["--fold"], type=click.Choice(FOLDS), section=SPLIT, help=fold),
    ]


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
