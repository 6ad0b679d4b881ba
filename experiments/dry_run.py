"""Synthetic data for dry runs of experiments, in the file formats of MovieLens 20M, Netflix and MSD."""

import hashlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from recsys_ae.data.catalog.netflix import COMBINED, DAY
from recsys_ae.data.synthetic.generate import Synthetic, synthesize

BLOCK = 5_000_000  # interactions per write


def rehearse(plan: Mapping[str, Any], scale: float, folder: Path) -> dict[str, Any]:
    """Write synthetic data for an experiment into a folder; return its plan, with the counts to check after reading.

    ``scale`` is the share of the users. The number of items is scaled by its square root, so that users stay as active
    as they are, and items keep enough users to pass the filters.
    """
    item_scale, shape = scale**0.5, plan["dry_run"]
    users, items = round(shape["users"] * scale), round(shape["items"] * item_scale)
    synthetic = synthesize(users, items, min(round(shape["interactions"] * scale), users * items // 4))
    WRITERS[plan["options"]["data"]](synthetic, folder)
    scales = {"valid-users": scale, "test-users": scale, "min-item-users": item_scale}
    options = {
        name: max(1, round(setting * scales[name])) if name in scales else setting
        for name, setting in plan["options"].items()
    }
    n_items_read = len(np.unique(synthetic.interactions.matrix.indices))
    counts = (synthetic.interactions.nnz, synthetic.interactions.shape[0], n_items_read)
    check = dict(zip(("interactions read", "users read", "items read"), counts, strict=True))
    return {**plan, "options": options, "check": check}


def _movielens(synthetic: Synthetic, folder: Path) -> None:
    assert synthetic.items is not None
    subfolder = folder / "ml-20m"
    subfolder.mkdir()
    names = ("userId", "movieId", "rating", "timestamp")
    users, items = synthetic.interactions.users.to_numpy(), synthetic.interactions.items.to_numpy()
    with csv.CSVWriter(subfolder / "ratings.csv", pa.schema([(name, pa.int64()) for name in names])) as writer:
        for user, item, rating, time in _rows(synthetic):
            columns = (users[user], items[item], rating, time)
            writer.write_table(pa.table([pa.array(column.astype(np.int64)) for column in columns], names=names))
    movies = synthetic.items.assign(genres=synthetic.items["genres"].str.join("|"))
    movies.reset_index(names="movieId")[["movieId", "title", "genres"]].to_csv(subfolder / "movies.csv", index=False)
    (subfolder / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,made up,0\n", encoding="utf-8")


def _netflix(synthetic: Synthetic, folder: Path) -> None:
    subfolder = folder / "netflix"
    subfolder.mkdir()
    by_movie = synthetic.interactions.matrix.tocsc()
    assert synthetic.interactions.timestamps is not None
    days = synthetic.interactions.matrix.copy()
    days.data = (synthetic.interactions.timestamps // DAY).astype(np.float32)
    days = days.tocsc()
    movies = np.flatnonzero(np.diff(by_movie.indptr))
    names = ("user", "rating", "day")
    for name, numbers in zip(COMBINED, np.array_split(movies, len(COMBINED)), strict=True):
        with (subfolder / name).open("wb") as file:
            for block in np.array_split(numbers, max(1, len(numbers) // 500)):
                start, stop = by_movie.indptr[block[0]], by_movie.indptr[block[-1] + 1]
                heads = by_movie.indptr[block] - start
                # A movie is a row without rating and day, "17,,"; the commas become a colon below.
                user = np.insert(by_movie.indices[start:stop] + 1, heads, block + 1)
                rated, day = (np.insert(matrix.data[start:stop], heads, -1) for matrix in (by_movie, days))
                head = rated < 0
                columns = [pa.array(user), pa.array(rated.astype(np.int8), mask=head)]
                columns.append(pa.array(day.astype(np.int32), mask=head).cast(pa.date32()))
                text = BytesIO()
                csv.write_csv(pa.table(columns, names=names), text, csv.WriteOptions(include_header=False))
                file.write(text.getvalue().replace(b",,\n", b":\n"))


def _msd(synthetic: Synthetic, folder: Path) -> None:
    subfolder = folder / "msd"
    subfolder.mkdir()
    n_users, n_songs = synthetic.interactions.shape
    users, songs = (np.array([_name(number) for number in range(n)], dtype=object) for n in (n_users, n_songs))
    songs = np.array([f"SO{name[:16].upper()}" for name in songs], dtype=object)
    with (subfolder / "train_triplets.txt").open("wb") as file:
        options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        for user, song, plays, _ in _rows(synthetic):
            columns = [pa.DictionaryArray.from_arrays(user.astype(np.int32), users).dictionary_decode()]
            columns += [pa.DictionaryArray.from_arrays(song.astype(np.int32), songs).dictionary_decode()]
            columns += [pa.array(plays.astype(np.int64))]
            csv.write_csv(pa.table(columns, names=["user", "song", "plays"]), file, options)


def _name(number: int) -> str:
    return hashlib.blake2b(b"%d" % number, digest_size=20).hexdigest()


WRITERS: Mapping[str, Callable[[Synthetic, Path], None]] = {"ml-20m": _movielens, "netflix": _netflix, "msd": _msd}


def _rows(synthetic: Synthetic) -> "Any":
    """Yield blocks of rows, columns, ratings and timestamps in seconds, in the order of the source."""
    data = synthetic.interactions
    assert data.timestamps is not None
    positions = np.empty(data.nnz, np.int64)
    positions[data.order] = np.arange(data.nnz)
    rows = data.rows.astype(np.int32)
    for start in range(0, data.nnz, BLOCK):
        block = positions[start : start + BLOCK]
        yield rows[block], data.matrix.indices[block], data.matrix.data[block], data.timestamps[block]
