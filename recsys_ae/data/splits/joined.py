"""Given training and test part, joined into one set of interactions."""

import dataclasses

import numpy as np
import pandas as pd

from recsys_ae.data.id_matching import match
from recsys_ae.data.inputs.repeated_pairs import Duplicates
from recsys_ae.data.interactions import Ids, Interactions, Step
from recsys_ae.data.parsing import ids


def joined(train: Interactions, test: Interactions, duplicates: Duplicates = "last") -> Interactions:
    """Return the interactions of both parts, those of the test part last.

    Users and items of both parts are compared by `match`, because the parts may write their ids differently; the ids of
    the training part are kept. The times are kept if both parts have them. ``duplicates`` is the treatment of pairs of
    user and item that are in both parts; ``"error"`` keeps the last, too, because each part was checked when it was
    read.
    """
    users, *rows_of = _distinct(train.users, test.users, "user")
    items, *columns_of = _distinct(train.items, test.items, "item")
    parts = [(part, np.argsort(part.order, kind="stable")) for part in (train, test)]
    rows = [target[part.rows[order]] for (part, order), target in zip(parts, rows_of, strict=True)]
    columns = [target[part.matrix.indices[order]] for (part, order), target in zip(parts, columns_of, strict=True)]
    values = [part.matrix.data[order] for part, order in parts]
    times = [part.timestamps[order] for part, order in parts if part.timestamps is not None]
    data = Interactions.from_arrays(
        np.concatenate(rows),
        np.concatenate(columns),
        np.concatenate(values),
        users,
        items,
        np.concatenate(times) if len(times) == len(parts) else None,
        duplicates="sum" if duplicates == "sum" else "last",
    )
    step = Step("test part added", train.counts, data.counts)
    return dataclasses.replace(data, steps=(*train.steps, step), remarks=(*train.remarks, *test.remarks))


def _distinct(known: Ids, ids_of_test: Ids, role: str) -> tuple[Ids, np.ndarray, np.ndarray]:
    """Return the distinct ids of both parts in order, and the positions of the ids of each part among them."""
    matches = match(known, ids_of_test)
    is_new = matches < 0
    positions, distinct = ids(pd.Series(known.append(ids_of_test[is_new])), role)
    of_test = np.empty(len(ids_of_test), np.int64)
    of_test[is_new] = positions[len(known) :]
    of_test[~is_new] = positions[matches[~is_new]]
    return distinct, positions[: len(known)], of_test
