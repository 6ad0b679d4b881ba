"""Options and steps that `evaluate` and `compare` share: metrics, the part of the split, and models that do not fit."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import DataError

from ..framework import Option, wrong_usage
from ..param_types import FILE, Names
from ..saved import refuse_rankers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from recsys_ae.data.interactions import Ids
    from recsys_ae.data.splits.split import Holdout, Split
    from recsys_ae.evaluation.report import Report
    from recsys_ae.evaluation.slices import Slices
    from recsys_ae.metrics import Catalog
    from recsys_ae.recommender.recommender import Recommender

REPORT = "Report"
METRICS = (
    "Metrics, separated by commas, such as recall@20,ndcg@100,mrr@10. Models that learn from ratings also have rmse "
    "and mae, which are their default."
)


def metrics() -> Option:
    """Return the option for the metrics."""
    return Option(["--metrics"], type=Names(), metavar="NAMES", section=REPORT, help=METRICS)


def on(noun: str) -> Option:
    """Return the option for the part of the split that models are evaluated on."""
    return Option(
        ["--on"],
        type=click.Choice(["test", "valid"]),
        default="test",
        show_default=True,
        section=REPORT,
        help=f"Part of the split that the {noun} evaluated on.",
    )


def as_json(noun: str) -> Option:
    """Return the option that prints JSON."""
    return Option(["--json", "as_json"], is_flag=True, section=REPORT, help=f"Print the {noun} as JSON.")


def beyond() -> list[Option]:
    """Return the options for metrics beyond accuracy."""
    return [
        Option(
            ["--beyond"],
            is_flag=True,
            section=REPORT,
            help="Add metrics beyond accuracy: NDCG of the tail, novelty, popularity and its lift over the history, "
            "diversity, coverage and Gini index. Each can also be named in --metrics.",
        ),
        item_vectors(),
    ]


def item_vectors() -> Option:
    """Return the option for the features by which the diversity of lists is measured."""
    return Option(
        ["--item-vectors"],
        metavar="NAME|FILE",
        section=REPORT,
        help="Item features whose cosines measure the diversity of a list.  [default: items are alike that have users "
        "in common]",
    )


def slices(default: str = "") -> list[Option]:
    """Return the options for groups of users, of which there are none by default."""
    usual = f"  [default: {default}]" if default else ""
    return [
        Option(
            ["--slice-by"],
            multiple=True,
            metavar="activity|COLUMN",
            section=REPORT,
            help="Groups of users that are measured, too: quarters of their activity, or the values of a column of "
            f"--user-table. Repeat the option for several.{usual}",
        ),
        Option(
            ["--user-table"],
            type=FILE,
            metavar="FILE",
            section=REPORT,
            help="Table of users for --slice-by, in any format; its first column has the ids, unless one is named such "
            "as user_id.",
        ),
    ]


def with_beyond(names: tuple[str, ...], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics, with those beyond accuracy if they are asked for."""
    from recsys_ae.metrics import BEYOND  # noqa: PLC0415

    return tuple(dict.fromkeys((*names, *(BEYOND if settings["beyond"] else ()))))


def catalog_of(split: "Split", settings: Mapping[str, Any]) -> "Catalog":
    """Return the items in the training data, with the vectors that ``--item-vectors`` names."""
    from recsys_ae.metrics import Catalog  # noqa: PLC0415

    vectors = None
    if settings["item_vectors"] is not None:
        vectors = _vectors(settings["item_vectors"], settings["data_dir"], split.train.items)
    return Catalog(split.train.matrix, vectors)


def _vectors(source: str, data_dir: Path | None, items: "Ids") -> "NDArray[np.float32]":
    """Return a row for each item, 0 for those without features."""
    import numpy as np  # noqa: PLC0415

    from recsys_ae.data.id_matching import match  # noqa: PLC0415

    from .. import feature_source  # noqa: PLC0415

    features = feature_source.read_all([source], data_dir).of(items)
    feature_source.say(features.remarks)
    matrix = features.matrix
    rows = np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), np.float32)
    vectors = np.zeros((len(items), rows.shape[1]), np.float32)
    vectors[match(items, features.ids)] = rows.reshape(len(rows), -1)
    return vectors


def sliced(report: "Report", holdout: "Holdout", settings: Mapping[str, Any]) -> "list[Slices]":
    """Return the metrics of the groups of users that are asked for."""
    from recsys_ae.evaluation import slices as library  # noqa: PLC0415

    groups = groups_of(holdout, settings["slice_by"], settings["user_table"])
    return [library.sliced(report, values, by) for by, values in groups.items()]


def groups_of(holdout: "Holdout", wanted: Iterable[str], table: Path | None) -> "dict[str, pd.Series[Any]]":
    """Return the value of each user, by what the users are to be grouped by."""
    from recsys_ae.evaluation.slices import ACTIVITY, activity  # noqa: PLC0415

    names = list(dict.fromkeys(wanted))
    columns = _user_columns([name for name in names if name != ACTIVITY], table)
    return {name: columns[name] if name in columns else activity(holdout) for name in names}


def _user_columns(names: Sequence[str], path: Path | None) -> "dict[str, pd.Series[Any]]":
    """Return columns of the table of users, indexed by their ids."""
    import pandas as pd  # noqa: PLC0415

    from recsys_ae.data.readers.column_names import recognised  # noqa: PLC0415
    from recsys_ae.data.readers.read import read_table  # noqa: PLC0415

    if not names:
        return {}
    if path is None:
        raise click.UsageError(f"--slice-by {names[0]} needs --user-table FILE", click.get_current_context())
    table = read_table(path, header=True)
    written = [str(column) for column in table.columns]
    ids = table.iloc[:, next(iter(recognised(written, "user", ())), 0)]
    if ids.isna().any():
        raise DataError(f"{path}: row {int(ids.isna().argmax()) + 1} has no user; remove it")
    unknown = [name for name in names if name not in written]
    if unknown:
        raise click.UsageError(
            f"--slice-by {unknown[0]}: {path} has no such column; its columns are {', '.join(written)}",
            click.get_current_context(),
        )
    columns = {}
    for name in names:
        column = table.iloc[:, written.index(name)]
        numbers = pd.to_numeric(column, errors="coerce")
        known = column if (numbers.isna() & ~column.isna()).any() else numbers
        columns[name] = pd.Series(known.to_numpy(), index=pd.Index(ids))
    return columns


def parsed(names: Iterable[str], option: str = "--metrics") -> tuple[str, ...]:
    """Return names of metrics in their usual form; a usage error that names the option for an unknown one."""
    from recsys_ae import metrics  # noqa: PLC0415

    with wrong_usage(option):
        return tuple(str(metrics.parse(name)) for name in names)


def usual(feedback: Iterable[str]) -> tuple[str, ...]:
    """Return the default metrics for the kinds of feedback of all models: errors if all of them learn from ratings."""
    from recsys_ae import metrics  # noqa: PLC0415

    return metrics.ERRORS if set(feedback) == {"explicit"} else metrics.DEFAULT


def refuse_misfits(model: "Recommender", names: Iterable[str]) -> None:
    """Raise an error if a metric needs predicted ratings and the model predicts none."""
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    if any(map(smaller_is_better, names)):
        refuse_rankers(model)


def part(split: "Split", on: str, folder: Path, split_kind: str) -> "Holdout":
    """Return the part of a split that ``--on`` names; raise an error if there is none."""
    holdout = split.test if on == "test" else split.valid
    if holdout is None:
        raise DataError(f"{folder} was fitted with --split {split_kind}, which has no part for --on {on}")
    return holdout
