"""``recsys-ae recommend DIR``: top-N lists for users, written in chunks."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import feature_source, ids, options, table_writer, user_rows
from ..display import counted, note
from ..framework import Option, Positional, as_command
from ..param_types import FILE
from ..saved import moved, reading_of, recipe_of, threshold_of, titles_of
from ..user_rows import ALL, Audience

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from recsys_ae.data.interactions import Ids
    from recsys_ae.features.data.features import Features
    from recsys_ae.recommender.recommender import Recommender

CHUNK = 4096
"""Number of users in a chunk that is ranked and written."""

LISTS, USERS = "Lists", "Users"
PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Option(["--out"], type=FILE, metavar="FILE", required=True, section=LISTS,
           help="Output file (.csv, .jsonl or .parquet); - is standard output (CSV)."),
    options.k("Number of items per user.", LISTS),
    Option(["--allow"], type=FILE, metavar="FILE", section=LISTS,
           help="File of the only items to recommend: ids, one per line, or a table with a column of items. With a "
                "column of users, too, each user has a list."),
    Option(["--deny"], type=FILE, metavar="FILE", section=LISTS,
           help="File of items not to recommend, in the format of --allow."),
    Option(["--include-seen"], is_flag=True, section=LISTS,
           help="Also recommend items that the user has interacted with.  "
                "[default: no item that they rated, high or low]"),
    Option(["--cold-items"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=LISTS,
           help="Features of cold items, with the columns of the fit's --item-features. Items that the model knows are "
                "skipped. Repeat the option to join features by their ids."),
    Option(["--only-cold"], is_flag=True, section=LISTS, help="Recommend only the cold items."),
    Option(["--users"], metavar="all|FILE", section=USERS,
           help="All users of the data, or a file of user ids: one per line, or a table with a column of users.  "
                "[default: all; with --histories, the users of that file]"),
    Option(["--unknown-users"], type=click.Choice(["popular", "skip", "error"]), default="popular", show_default=True,
           section=USERS,
           help="Treatment of users without a history that the model can use: recommend the most popular items, skip "
                "them, or stop."),
    Option(["--histories"], type=FILE, metavar="FILE", section=USERS,
           help="File of interactions of any users, with the columns of the data of the fit, or read with the column "
                "options below. An id of the training data is that user."),
    *moved(),
    options.data_dir(),
    options.cache(),
    *options.columns(),
    options.overwrite("file"),
    options.safe_cells(),
    options.device(),
]  # fmt: skip


@as_command("recommend", PARAMS)
def command(folder: Path, out: Path, k: int, users: str | None, histories: Path | None, **settings: Any) -> None:
    """Write top-N lists with a saved model.

    Items that a user has interacted with are not recommended, even if the filters of the fit removed these
    interactions. Every user gets a list: users who are in no data, or have no history after the filters, get the most
    popular items. The table has the columns user, rank, item, score and, if the data have titles, title.
    """
    from recsys_ae.data.reading import Reading  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    table_writer.refuse(out, overwrite=settings["overwrite"])
    model = Recommender.load(folder, device=settings["device"])
    reading, fitted = Reading.from_options(settings), reading_of(model)
    audience = _audience(model, folder, users, histories, settings)
    audience = user_rows.served(audience, settings["unknown_users"], users)
    allow, deny = (
        None if settings[name] is None else user_rows.of_items(settings[name], audience, model.items, reading, fitted)
        for name in ("allow", "deny")
    )
    cold = _cold(model, settings)
    titles, written, exceptions = _titles(model), 0, _Exceptions(k)
    with (
        table_writer.writer(out, overwrite=settings["overwrite"], safe_cells=settings["safe_cells"]) as write,
        counted("users") as show,
    ):
        for start in range(0, max(1, len(audience.users)), CHUNK):
            rows = slice(start, start + CHUNK)
            batch = audience.part(rows)
            top = model.recommend(
                batch.histories,
                k,
                users=batch.users,
                exclude_seen=not settings["include_seen"],
                exclude=None if settings["include_seen"] else batch.seen,
                allow=_rows(allow, rows),
                deny=_rows(deny, rows),
                cold_items=cold,
                only_cold=settings["only_cold"],
            )
            frame = model.to_frame(top, batch.users, cold=None if cold is None else cold.ids)
            write(frame if titles is None else frame.assign(title=titles.reindex(frame["item"]).to_numpy()))
            written += len(frame)
            exceptions.add(batch.users, top.items)
            show(min(start + CHUNK, len(audience.users)), len(audience.users))
    exceptions.say()
    note(f"{written:,} recommendations for {len(audience.users):,} users" + (f" in {out}" if str(out) != "-" else ""))


def _audience(
    model: "Recommender", folder: Path, users: str | None, histories: Path | None, settings: Mapping[str, Any]
) -> Audience:
    """Return the users of the options; the data of the fit are read only if necessary."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415

    def of_fit() -> Audience:
        recipe = recipe_of(model, folder, settings)
        return user_rows.known(recipe, model.items, cache=settings["cache"])

    reading, fitted = Reading.from_options(settings), reading_of(model)
    wanted = None if users in (None, ALL) else user_rows.listed(Path(users), reading, fitted)
    if histories is None:
        return of_fit() if wanted is None else of_fit().pick(wanted)
    reading = reading.like(fitted, histories)
    new = user_rows.new(histories, reading, threshold_of(model), model, cache=settings["cache"])
    if wanted is not None:
        return new.pick(wanted) if new.has(wanted) else of_fit().joined(new).pick(wanted)
    return new if users is None else of_fit().joined(new)


class _Exceptions:
    """Users without recommendations, and users with fewer than ``k``."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.counts = {"none": 0, "few": 0}
        self.first: dict[str, list[Any]] = {"none": [], "few": []}

    def add(self, users: "Ids", items: "np.ndarray") -> None:
        """Count the users of a chunk by the length of their lists; items below 0 are empty positions."""
        lengths = (items >= 0).sum(axis=1)
        for kind, rows in (("none", lengths == 0), ("few", (lengths > 0) & (lengths < self.k))):
            self.counts[kind] += int(rows.sum())
            self.first[kind] += users[rows][: ids.LISTED].tolist()

    def say(self) -> None:
        """Print the number of these users, and the first of them."""
        none, few = (ids.named(self.first[kind], self.counts[kind]) for kind in ("none", "few"))
        if none:
            note(f"No recommendations for {self.counts['none']:,} users, because no item is left for them: {none}")
        if few:
            note(f"{self.counts['few']:,} lists have fewer than {self.k:,} items, because no other is left: {few}")


def _cold(model: "Recommender", settings: Mapping[str, Any]) -> "Features | None":
    """Return the features of the cold items, or None without ``--cold-items``."""
    if not settings["cold_items"]:
        if settings["only_cold"]:
            raise click.UsageError("--only-cold needs the features of cold items; give --cold-items")
        return None
    features = feature_source.read_all(settings["cold_items"], settings["data_dir"], model.feature_columns)
    new = features.without(model.items)
    if len(new) == 0:
        raise click.UsageError(f"--cold-items: the model knows all {len(features):,} items, so none is cold")
    feature_source.say(
        [*features.remarks, f"{len(new):,} of {len(features):,} items are cold; the model knows the others"]
    )
    return new


def _rows(filter: "np.ndarray | csr_matrix | None", rows: slice) -> "np.ndarray | csr_matrix | None":
    """Return the rows of a filter for some of the users; a list for all users stays as it is."""
    return filter[rows] if filter is not None and filter.ndim == 2 else filter


def _titles(model: "Recommender") -> "pd.Series[Any] | None":
    """Return the titles by item id, or None if the data have no titles."""
    import pandas as pd  # noqa: PLC0415

    titles = titles_of(model)
    return pd.Series(titles, index=model.items, dtype=object) if titles else None
