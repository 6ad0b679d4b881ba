"""``recsys-ae data split NAME|PATH --out DIR``: a split as files, for use in other programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.data.recipe import DataRecipe
from recsys_ae.errors import DataError

from .. import options, table_writer
from ..data_options import load
from ..display import Display
from ..framework import Option, as_command, told_when_saved
from ..param_types import FILE
from ..report import show_data

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recsys_ae.data.interactions import Ids
    from recsys_ae.data.splits.split import Split

DESCRIPTION = "split.json"
CHUNK = 2**15
"""Number of users in a chunk that is written."""

PARAMS = [
    options.data_argument(),
    Option(
        ["--out"],
        type=FILE,
        metavar="DIR",
        required=True,
        section="Output",
        help="Folder of the files; it must not exist yet.",
    ),
    options.data_dir(),
    options.cache(),
    *options.columns(),
    *options.filters(),
    *options.splits(),
]


@as_command("split", PARAMS)
def command(data: str, out: Path, **settings: Any) -> None:
    """Save a split of data as Parquet files.

    The data are filtered and split as in `recsys-ae fit`. The files have the columns user, item and value: one for
    the training part, and histories and targets of the validation and test users. split.json holds the settings.
    """
    from recsys_ae.storage.atomic import errors_named, whole_folder  # noqa: PLC0415
    from recsys_ae.storage.leftovers import sweep  # noqa: PLC0415

    sweep(out.absolute().parent)
    if out.exists():
        raise DataError(f"{out} exists; choose another folder")
    recipe = DataRecipe.from_options({"data": data, **settings})
    prepared = recipe.read(load(recipe, cache=settings["cache"]))
    split = prepared.split()
    display = Display()
    show_data(display, prepared, split)
    description = {"fingerprint": split.fingerprint, **prepared.recipe.as_json()}
    with told_when_saved(out, f"the split is saved in {out}"), errors_named(f"write {out}"):
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(out.absolute(), overwrite=False) as partial:
            _write(split, partial)
            (partial / DESCRIPTION).write_text(json.dumps(description, indent=2, ensure_ascii=False), encoding="utf-8")
    display.line(f"Saved in {out}")


def _write(split: "Split", folder: Path) -> None:
    _write_part(folder / "train.parquet", split.train.matrix, split.train.users, split.train.items)
    for name, holdout in (("valid", split.valid), ("test", split.test)):
        if holdout is not None:
            _write_part(folder / f"{name}_histories.parquet", holdout.histories, holdout.users, split.train.items)
            _write_part(folder / f"{name}_targets.parquet", holdout.targets, holdout.users, split.train.items)


def _write_part(path: Path, matrix: "csr_matrix", users: "Ids", items: "Ids") -> None:
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    with table_writer.writer(path, overwrite=False, is_result=False) as write:
        for start in range(0, len(users), CHUNK):
            chunk = matrix[start : start + CHUNK]
            rows = np.repeat(np.arange(start, start + chunk.shape[0]), np.diff(chunk.indptr))
            write(pd.DataFrame({"user": users[rows], "item": items[chunk.indices], "value": chunk.data}))
