"""Top-N lists as tables, for all users at once or block by block."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import feature_source, ids
from ..display import note
from ..saved import reading_of, titles_of
from .audiences import Block, Request
from .user_rows import Audience, ItemFilter

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from recsys_ae.data.interactions import Ids
    from recsys_ae.features.data.features import Features
    from recsys_ae.recommender.recommender import Recommender

CHUNK = 4096
"""Number of users in a chunk that is ranked and written."""
FORMAT_OF_DATA = ("user_column", "item_column", "rating_column", "timestamp_column", "separator", "header", "encoding",
                  "quote", "decimal", "comment", "skip_lines", "layout", "duplicates", "missing", "where")  # fmt: skip


class Lists:
    """Top-N lists of a request.

    Parameters
    ----------
    k
        Number of items per user.
    """

    def __init__(self, request: Request, k: int) -> None:
        self.request, self.k, self.settings = request, k, request.settings
        model = request.model
        self.filters = {
            name: None
            if self.settings[name] is None
            else ItemFilter(self.settings[name], model.items, request.reading, reading_of(model))
            for name in ("allow", "deny")
        }
        self.cold = _cold(model, self.settings)
        self.titles, self.exceptions = _titles(model), _Exceptions(k)
        self.is_served = request.why_at_once is not None
        """True if unknown users are treated, and reported, when all users are read at once."""

    def of(self, audience: Audience) -> "Iterator[tuple[int, pd.DataFrame]]":
        """Yield the number of users so far, and the lists of some users, in chunks of users."""
        model = self.request.model
        include_seen = self.settings["include_seen"]
        filters = {name: None if found is None else found.of(audience) for name, found in self.filters.items()}
        for start in range(0, max(1, len(audience.users)), CHUNK):
            rows = slice(start, start + CHUNK)
            batch = audience.part(rows)
            top = model.recommend(
                batch.histories,
                self.k,
                users=batch.users,
                exclude_seen=not include_seen,
                exclude=None if include_seen else batch.seen,
                cold_items=self.cold,
                only_cold=self.settings["only_cold"],
                **{name: _rows(found, rows) for name, found in filters.items()},
            )
            frame = model.to_frame(top, batch.users, cold=None if self.cold is None else self.cold.ids)
            if self.titles is not None:
                frame = frame.assign(title=self.titles.reindex(frame["item"]).to_numpy())
            self.exceptions.add(batch.users, top.items)
            yield min(start + CHUNK, len(audience.users)), frame

    def parts(self, audience: Audience, users_per_part: int) -> "Iterator[tuple[int, Iterable[pd.DataFrame]]]":
        """Yield the number of users and the tables of each part."""
        for start in range(0, len(audience.users), users_per_part):
            part = audience.part(slice(start, start + users_per_part))
            yield len(part.users), (frame for _, frame in self.of(part))

    def blocks(self, skip: Callable[[int], bool], room: Path) -> Iterator[Block]:
        """Yield the users in blocks, or all in one block if they have to be read at once."""
        why = self.request.why_at_once
        if why is None:
            yield from self.request.in_blocks(skip, room=room)
        elif not skip(0):
            note(f"Note: all histories are in memory at once, because {why}")
            yield Block(0, 1, self.request.at_once())

    def identity(self) -> dict[str, Any]:
        """Return everything that the lists depend on."""
        settings, request = self.settings, self.request
        names = ("include_seen", "only_cold", "unknown_users", "safe_cells", "users_per_part")
        files = {name: _hash(settings[name]) for name in ("allow", "deny") if settings[name] is not None}
        if request.users is not None and Path(request.users).is_file():
            files["users"] = _hash(Path(request.users))
        return {
            "model": hashlib.sha256((request.folder / "config.json").read_bytes()).hexdigest(),
            "data": _data(request),
            "k": self.k,
            **{name: settings[name] for name in names},
            **{name: settings[name] for name in FORMAT_OF_DATA},
            "users": request.users,
            "cold_items": None if self.cold is None else self.cold.fingerprint,
            "files": files,
        }

    def say(self) -> None:
        """Print what was noticed, after the last list."""
        for found in self.filters.values():
            if found is not None:
                found.say()
        self.exceptions.say()


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


def _titles(model: "Recommender") -> "pd.Series[Any] | None":
    """Return the titles by item id, or None if the data have no titles."""
    import pandas as pd  # noqa: PLC0415

    titles = titles_of(model)
    return pd.Series(titles, index=model.items, dtype=object) if titles else None


def _rows(found: "np.ndarray | csr_matrix | None", rows: slice) -> "np.ndarray | csr_matrix | None":
    """Return the rows of a filter for some of the users; a list for all users stays as it is."""
    return found[rows] if found is not None and found.ndim == 2 else found


def _data(request: Request) -> Any:
    """Return a fingerprint of the histories: of their content, or elsewhere of their names, sizes and times."""
    from recsys_ae.data.readers.cache import content_of  # noqa: PLC0415
    from recsys_ae.data.readers.errors import errors_of  # noqa: PLC0415
    from recsys_ae.data.readers.parts.places import is_local_file, parts_of  # noqa: PLC0415

    if request.why_at_once is not None and request.histories is None:
        return request.model.notes.get("fingerprint")
    with errors_of(request.place, "utf-8"):
        parts = parts_of(request.place)
        names = [part.name for part in parts]
        if is_local_file(parts):
            return [names, content_of([part.source.path for part in parts])]
        return [names, *(_state(part) for part in parts)]


def _state(part: Any) -> Any:
    if part.source.content is not None:
        return hashlib.sha256(part.source.content).hexdigest()
    info = part.source.files.get_file_info(part.source.path.as_posix())
    return [info.size, str(info.mtime)]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
