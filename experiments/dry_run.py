"""Made-up data in the shape of an experiment's own, written in the form in which those are distributed."""

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

BLOCK = 5_000_000  # interactions written at a time


def rehearse(plan: Mapping[str, Any], scale: float, folder: Path) -> dict[str, Any]:
    """Write data for an experiment into a folder; return its plan for them, which checks what is read of them.

    With fewer users there are fewer items, by the square root, so that users stay as active as they are and items do
    not all fall under the least number of users.
    """
    root, shape = scale**0.5, plan["dry_run"]
    users, items = round(shape["users"] * scale), round(shape["items"] * root)
    made = synthesize(users, items, min(round(shape["interactions"] * scale), users * items // 4))
    WRITERS[plan["options"]["data"]](made, folder)
    by = {"valid-users": scale, "test-users": scale, "min-item-users": root}
    options = {
        name: max(1, round(value * by[name])) if name in by else value for name, value in plan["options"].items()
    }
    touched = len(np.unique(made.interactions.matrix.indices))
    counts = (made.interactions.nnz, made.interactions.shape[0], touched)
    check = dict(zip(("interactions read", "users read", "items read"), counts, strict=True))
    return {**plan, "options": options, "check": check}


def _movielens(made: Synthetic, folder: Path) -> None:
    assert made.items is not None
    place = folder / "ml-20m"
    place.mkdir()
    names = ("userId", "movieId", "rating", "timestamp")
    with csv.CSVWriter(place / "ratings.csv", pa.schema([(name, pa.int64()) for name in names])) as writer:
        for user, item, rating, time in _rows(made):
            columns = (made.interactions.users.to_numpy()[user], made.interactions.items.to_numpy()[item], rating, time)
            writer.write_table(pa.table([pa.array(column.astype(np.int64)) for column in columns], names=names))
    films = made.items.assign(genres=made.items["genres"].str.join("|"))
    films.reset_index(names="movieId")[["movieId", "title", "genres"]].to_csv(place / "movies.csv", index=False)
    (place / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,made up,0\n", encoding="utf-8")


def _netflix(made: Synthetic, folder: Path) -> None:
    place = folder / "netflix"
    place.mkdir()
    by_film = made.interactions.matrix.tocsc()
    assert made.interactions.timestamps is not None
    days = made.interactions.matrix.copy()
    days.data = (made.interactions.timestamps // DAY).astype(np.float32)
    days = days.tocsc()
    films = np.flatnonzero(np.diff(by_film.indptr))
    names = ("user", "rating", "day")
    for name, part in zip(COMBINED, np.array_split(films, len(COMBINED)), strict=True):
        with (place / name).open("wb") as file:
            for some in np.array_split(part, max(1, len(part) // 500)):
                first, last = by_film.indptr[some[0]], by_film.indptr[some[-1] + 1]
                heads = by_film.indptr[some] - first
                # A film is a row without rating and day, "17,,", before it gets its colon.
                user = np.insert(by_film.indices[first:last] + 1, heads, some + 1)
                rated, day = (np.insert(matrix.data[first:last], heads, -1) for matrix in (by_film, days))
                head = rated < 0
                columns = [pa.array(user), pa.array(rated.astype(np.int8), mask=head)]
                columns.append(pa.array(day.astype(np.int32), mask=head).cast(pa.date32()))
                text = BytesIO()
                csv.write_csv(pa.table(columns, names=names), text, csv.WriteOptions(include_header=False))
                file.write(text.getvalue().replace(b",,\n", b":\n"))


def _msd(made: Synthetic, folder: Path) -> None:
    place = folder / "msd"
    place.mkdir()
    n_users, n_songs = made.interactions.shape
    users, songs = (np.array([_name(number) for number in range(n)], dtype=object) for n in (n_users, n_songs))
    songs = np.array([f"SO{name[:16].upper()}" for name in songs], dtype=object)
    with (place / "train_triplets.txt").open("wb") as file:
        options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        for user, song, plays, _ in _rows(made):
            columns = [pa.DictionaryArray.from_arrays(user.astype(np.int32), users).dictionary_decode()]
            columns += [pa.DictionaryArray.from_arrays(song.astype(np.int32), songs).dictionary_decode()]
            columns += [pa.array(plays.astype(np.int64))]
            csv.write_csv(pa.table(columns, names=["user", "song", "plays"]), file, options)


def _name(number: int) -> str:
    return hashlib.blake2b(b"%d" % number, digest_size=20).hexdigest()


WRITERS: Mapping[str, Callable[[Synthetic, Path], None]] = {"ml-20m": _movielens, "netflix": _netflix, "msd": _msd}


def _rows(made: Synthetic) -> "Any":
    """Yield row, column, rating and seconds of the interactions, in the order of the source."""
    data = made.interactions
    assert data.timestamps is not None
    place = np.empty(data.nnz, np.int64)
    place[data.order] = np.arange(data.nnz)
    rows = data.rows.astype(np.int32)
    for start in range(0, data.nnz, BLOCK):
        some = place[start : start + BLOCK]
        yield rows[some], data.matrix.indices[some], data.matrix.data[some], data.timestamps[some]
