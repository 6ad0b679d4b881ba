"""Options that several commands share."""

import dataclasses
from typing import TYPE_CHECKING

import click

from . import config, data_options
from .framework import OTHER, Option, Positional
from .param_types import FILE, Names, Whole

if TYPE_CHECKING:
    from recsys_ae.nn.model import Identity

DATA, RUN, FEATURES = data_options.DATA, "Run", "Features"
data, data_dir, columns = data_options.data, data_options.data_dir, data_options.columns
filters, splits = data_options.filters, data_options.splits


def cache() -> Option:
    """Return the option that turns off the binary copies of data files."""
    help = (
        "Save a binary copy of a file of 10 MB or more, next to it or in your cache folder, so that the next start is "
        "faster."
    )
    return Option(["--cache/--no-cache"], default=True, show_default=True, section=DATA, help=help)


def data_argument() -> Positional:
    """Return the argument that names the data."""
    return Positional("data", metavar="NAME|PATH", summary=data_options.WORDS["data"])


def k(help: str, section: str = OTHER) -> Option:
    """Return the option for the length of a list."""
    return Option(["--k"], type=Whole(1), default=10, show_default=True, metavar="NUMBER", section=section, help=help)


REPEATABLE = "Repeat the option to join features by their ids."
FEATURE_SOURCES = (
    "a table (CSV, Parquet; a file, a folder of parts, an address or -), a .npy, .npz or idx file, a folder of images, "
    "or a data set such as ml-1m or mnist. Columns follow a colon: items.csv:year,budget, ml-1m:genres,plots."
)


def item_features() -> Option:
    """Return the option for the item features that a recommender learns from."""
    help = (
        f"Item features: {FEATURE_SOURCES} The item embeddings of a neural model start from them, and every model "
        f"learns to rank cold items by theirs. {REPEATABLE}"
    )
    return Option(["--item-features"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=DATA, help=help)


def features(*, fitted: bool = False) -> list[Option]:
    """Return the options for features; with ``fitted``, the defaults are those of the encoder's fit."""

    def usual(value: str) -> str:
        return "[default: as in the fit]" if fitted else f"[default: {value}]"

    sources = f"Features: {FEATURE_SOURCES} {REPEATABLE}"
    id = "Column of a table with the ids of the rows.  [default: item, movieId, ... or the first]"
    texts = "Text columns of a table, separated by commas; their words are counted."
    sides = "Height and width in pixels that the images of a folder are scaled to."
    steps = "Number of latest steps that are read of each history (NAME:histories)."
    return [
        Option(
            ["--features"], required=True, multiple=True, metavar="FILE|NAME[:COLUMNS]", section=FEATURES,
            help=sources,
        ),
        Option(["--id-column"], metavar="NAME", section=FEATURES, help=id),
        Option(["--text-columns"], type=Names(), metavar="NAME,...", section=FEATURES, help=texts),
        Option(["--image-size"], type=Whole(1), metavar="NUMBER", section=FEATURES, help=f"{sides}  {usual('64')}"),
        Option(["--history-steps"], type=Whole(1), metavar="NUMBER", section=FEATURES, help=f"{steps}  {usual('50')}"),
        data_dir(),
    ]  # fmt: skip


def device() -> Option:
    """Return the option for the device."""
    help = "Device that computes: auto (a GPU if there is one), cpu, cuda, cuda:1, ..."
    return Option(["--device"], default="auto", show_default=True, metavar="NAME", section=RUN, help=help)


def overwrite(noun: str) -> Option:
    """Return the option that allows to replace an existing file or folder."""
    return Option(["--overwrite"], is_flag=True, section=RUN, help=f"Replace an existing {noun}.")


def safe_cells() -> Option:
    """Return the option that turns off the protection of spreadsheets from formulas in a table."""
    help = (
        "Cells of a CSV file that a spreadsheet would take for a formula, such as =1+1: write them with an apostrophe "
        "before them, or as they are. Commands read both as the same id."
    )
    return Option(["--safe-cells/--raw-cells"], default=True, show_default=True, section=RUN, help=help)


def track(help: str) -> Option:
    """Return the option that turns tracking off."""
    return Option(["--track/--no-track"], default=True, section=RUN, help=help)


def register() -> Option:
    """Return the option that registers a saved recommender as an MLflow model."""
    help = (
        "Log the model as an MLflow model, too, and register it under this name: for `mlflow models serve`, "
        "mlflow.pyfunc.load_model and Spark."
    )
    return Option(["--register"], metavar="NAME", section=RUN, help=help)


def tracking_uri() -> Option:
    """Return the option for the MLflow store with the run of a fit."""
    help = (
        "Address of the MLflow store that has the run of the fit; no other store is contacted.  "
        "[default: $MLFLOW_TRACKING_URI, else mlflow.db in this folder]"
    )
    return Option(["--tracking-uri"], metavar="URI", section=RUN, help=help)


def dry_run() -> Option:
    """Return the option that stops before the training."""
    help = "Check data and settings and print the memory that the fit needs, without training."
    return Option(["--dry-run"], is_flag=True, section=RUN, help=help)


def checkpoints(spec: "type[Identity] | None") -> list[Option]:
    """Return the options for checkpoints, for models that are trained step by step."""
    if spec is not None and not {"epochs", "members"} & {field.name for field in dataclasses.fields(spec)}:
        return []
    every = (
        "Minutes between two checkpoints in DIR.checkpoint, from which the same command continues an interrupted fit; "
        "longer if writing would take over 2% of the time. 0: only when interrupted."
    )
    restart = "Discard the checkpoint of an interrupted fit and begin anew."
    return [
        Option(
            ["--checkpoint-every"],
            type=click.FLOAT,
            default=5.0,
            show_default=True,
            metavar="MINUTES",
            section=RUN,
            help=every,
        ),
        Option(["--restart"], is_flag=True, section=RUN, help=restart),
    ]


def deterministic() -> Option:
    """Return the option for equal results of a GPU from run to run."""
    equal = "Fixed order of sums on a GPU: the same seed gives the same model to the bit, more slowly."
    return Option(["--deterministic"], is_flag=True, section=RUN, help=equal)


def machine(*, of_each: bool = False) -> list[Option]:
    """Return the options for device, precision and threads; ``of_each`` is for several fits at the same time."""
    precisions = click.Choice(["auto", "fp32", "tf32", "bf16", "fp16"])
    threads = f"Number of CPU threads{' of each fit' if of_each else ''}.  [default: all]"
    return [
        device(),
        Option(["--precision"], type=precisions, default="auto", show_default=True, section=RUN,
               help="Precision of matrix products."),
        deterministic(),
        Option(["--threads"], type=Whole(1), section=RUN, help=threads),
    ]  # fmt: skip


def quiet() -> Option:
    """Return the option that turns the output off."""
    return Option(["--quiet"], is_flag=True, section=RUN, help="Print only warnings and errors.")


def run() -> list[Option]:
    """Return the options for the run settings of a fit."""
    seed = "Random seed of the training."
    out = "Folder of the saved model.  [default: models/<data>-<model>]"
    file = "TOML file of options under the same names; options on the command line win."
    return [
        Option(["--seed"], type=Whole(0, 2**63 - 1), default=0, show_default=True, section=RUN, help=seed),
        *machine(),
        Option(["--out"], type=FILE, metavar="DIR", section=RUN, help=out),
        overwrite("model"),
        track("Track the run in MLflow: $MLFLOW_TRACKING_URI, else mlflow.db in this folder."),
        quiet(),
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
