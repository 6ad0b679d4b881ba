"""``recsys-ae predict DIR --pairs FILE``: predicted ratings of pairs of user and item."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import options, table_writer
from ..display import note
from ..framework import Option, Positional, as_command
from ..lists import user_rows
from ..lists.user_rows import Audience
from ..param_types import FILE
from ..saved import moved, reading_of, recipe_of, refuse_rankers, threshold_of

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.recommender.recommender import Recommender

CHUNK = 2**17
"""Number of ratings in a chunk that is written."""

RATINGS = "Ratings"
PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Option(["--pairs"], type=FILE, metavar="FILE", required=True, section=RATINGS,
           help="File of the pairs: a table with a column of users and one of items."),
    Option(["--out"], type=FILE, metavar="FILE", required=True, section=RATINGS,
           help="Output file (.csv, .jsonl or .parquet); - is standard output (CSV)."),
    Option(["--histories"], type=FILE, metavar="FILE", section=RATINGS,
           help="File of ratings of any users, with the columns of the data of the fit, or read with the column "
                "options below. An id of the training data is that user.  [default: the data of the fit]"),
    *moved(),
    options.data_dir(),
    options.cache(),
    *options.columns(),
    options.overwrite("file"),
    options.safe_cells(),
    options.device(),
]  # fmt: skip


@as_command("predict", PARAMS)
def command(folder: Path, pairs: Path, out: Path, histories: Path | None, **settings: Any) -> None:
    """Predict ratings with a saved model.

    The table has the columns user, item and rating, in the order of the pairs. Pairs with an unknown user or item are
    skipped.
    """
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from recsys_ae.data.reading import Reading  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    table_writer.refuse(out, overwrite=settings["overwrite"])
    model = Recommender.load(folder, device=settings["device"])
    refuse_rankers(model)
    reading, fitted = Reading.from_options(settings), reading_of(model)
    asked = user_rows.read_ids(pairs, reading, fitted, "user", "item", every=True)
    audience = _audience(model, folder, histories, asked["user"], settings)
    rows = user_rows.positions_in(pairs, audience.users, asked["user"], "users", "the data set")
    items = user_rows.positions_in(pairs, model.items, asked["item"], "items", "the model")
    for kind, positions in (("users", rows), ("items", items)):
        user_rows.say_skipped(pairs, positions >= 0, f"pairs with unknown {kind}")
    is_known = (rows >= 0) & (items >= 0)
    users, local = np.unique(rows[is_known], return_inverse=True)
    items = items[is_known]
    ratings = model.predict(audience.histories[users], (local, items), users=audience.users[users])
    table = pd.DataFrame({"user": audience.users[users][local], "item": model.items[items], "rating": ratings})
    with table_writer.writer(out, overwrite=settings["overwrite"], safe_cells=settings["safe_cells"]) as write:
        for start in range(0, max(1, len(table)), CHUNK):
            write(table[start : start + CHUNK])
    note(f"{len(table):,} ratings" + (f" in {out}" if str(out) != "-" else ""))


def _audience(
    model: "Recommender", folder: Path, histories: Path | None, users: "pd.Series[Any]", settings: Mapping[str, Any]
) -> Audience:
    """Return the users that the pairs may name; the data of the fit are read only if necessary."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415

    new = None
    if histories is not None:
        reading = Reading.from_options(settings).like(reading_of(model), histories)
        new = user_rows.new(histories, reading, threshold_of(model), model, cache=settings["cache"])
        if new.has(users):
            return new
    recipe = recipe_of(model, folder, settings)
    of_fit = user_rows.known(recipe, model.items, cache=settings["cache"], everybody=False)
    return of_fit if new is None else of_fit.joined(new)
