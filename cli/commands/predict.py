"""``recsys-ae predict DIR --pairs FILE``: the ratings that a saved model predicts for pairs of user and item."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import DataError

from .. import ids, options, table_writer, user_rows
from ..display import note
from ..framework import Option, Positional, as_command
from ..param_types import FILE
from ..saved import moved, recipe_of, refuse_rankers, threshold_of
from ..user_rows import Audience

if TYPE_CHECKING:
    from recsys_ae.recommender.recommender import Recommender

CHUNK = 2**17
"""Ratings written at a time."""

RATINGS = "Ratings"
PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Option(["--pairs"], type=FILE, metavar="FILE", required=True, section=RATINGS,
           help="CSV file of the pairs, with the columns user and item."),
    Option(["--out"], type=FILE, metavar="FILE", required=True, section=RATINGS,
           help="Output file (.csv, .jsonl or .parquet); - is standard output (CSV)."),
    Option(["--histories"], type=FILE, metavar="FILE", section=RATINGS,
           help="File of ratings of any users, read with the column options below. An id of the training data is that "
                "user.  [default: the data of the fit]"),
    moved(),
    options.data_dir(),
    options.cache(),
    *options.columns(),
    options.overwrite("file"),
    options.device(),
]  # fmt: skip


@as_command("predict", PARAMS)
def command(folder: Path, pairs: Path, out: Path, histories: Path | None, **rest: Any) -> None:
    """Predict ratings with a saved model.

    The table has the columns user, item and rating, in the order of the pairs. Pairs with an unknown user or item are
    skipped.
    """
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    table_writer.refuse(out, overwrite=rest["overwrite"])
    model = Recommender.load(folder, device=rest["device"])
    refuse_rankers(model)
    asked = ids.read_columns(pairs, ("user", "item"))
    if set(asked) != {"user", "item"}:
        raise DataError(f"{pairs} has no columns user and item; its first line must name them")
    known = _audience(model, folder, histories, asked["user"], rest)
    rows, items = ids.positions(known.users, asked["user"]), ids.positions(model.items, asked["item"])
    for what, places in (("users", rows), ("items", items)):
        if (places < 0).any():
            note(f"{pairs}: skipped {int((places < 0).sum()):,} pairs with unknown {what}")
    both = (rows >= 0) & (items >= 0)
    users, local = np.unique(rows[both], return_inverse=True)
    items = items[both]
    ratings = model.predict(known.histories[users], (local, items), users=known.users[users])
    found = pd.DataFrame({"user": known.users[users][local], "item": model.items[items], "rating": ratings})
    with table_writer.writer(out, overwrite=rest["overwrite"]) as write:
        for start in range(0, max(1, len(found)), CHUNK):
            write(found[start : start + CHUNK])
    note(f"{len(found):,} ratings" + (f" in {out}" if str(out) != "-" else ""))


def _audience(
    model: "Recommender", folder: Path, histories: Path | None, users: Sequence[str], rest: Mapping[str, Any]
) -> Audience:
    """Return whom the pairs may name; the data of the fit are read only where they are needed."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415

    new = None
    if histories is not None:
        reading = Reading.from_options(rest)
        new = user_rows.new(histories, reading, threshold_of(model), model, cache=rest["cache"])
        if (ids.positions(new.users, users) >= 0).all():
            return new
    recipe = recipe_of(model, folder, rest["data"], rest["data_dir"])
    of_fit = user_rows.known(recipe, model.items, cache=rest["cache"], everybody=False)
    return of_fit if new is None else of_fit.joined(new)
