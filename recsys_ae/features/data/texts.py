"""Texts as features: word counts, a column for each word."""

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Series
from recsys_ae.errors import DataError, MissingPackageError
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.number_columns import is_marker

WORDS = 20_000
LEAST = 3
BETWEEN = " "


def count_words(
    texts: Series,
    *,
    name: str = "text",
    most: int = WORDS,
    least: int = LEAST,
    known: Sequence[str] | None = None,
    separator: str | None = None,
) -> Features:
    """Count the words of texts, which are indexed by the ids of their rows; missing and empty texts are left out.

    A text such as ``NA`` or ``null`` is missing, too (`number_columns.MARKERS`).
    The encoder learns and saves the weights by rarity (TF-IDF), so that new texts are weighted as those of its fit.

    Parameters
    ----------
    name
        Name of the texts; the column of a word is called ``name=word``.
    most
        Number of words: the most frequent ones, without English stop words.
    least
        Number of texts in which a word must occur.
    known
        Columns of a fitted encoder; only their words are counted.
    separator
        Separator between whole names, such as those of actors, which are then counted instead of words.
    """
    filled = texts.fillna("").astype(str)
    empty = filled.map(is_marker).to_numpy(dtype=bool)
    if empty.all():
        raise DataError(f"all {len(texts):,} texts of {name} are empty")
    nonempty = filled[~empty]
    vectorizer = _vectorizer(name, most, min(least, max(1, len(nonempty) // 10)), known, separator)
    try:
        counts = vectorizer.fit_transform(nonempty)
    except ValueError as error:
        raise DataError(f"the texts of {name} have no words that can be counted: {error}") from error
    words = [f"{name}={word}" for word in vectorizer.get_feature_names_out()]
    remarks = (f"{int(empty.sum()):,} of {len(texts):,} texts of {name} are empty and left out",) if empty.any() else ()
    return Features(
        counts.astype(np.float32),
        pd.Index(nonempty.index.to_numpy()),
        pd.Index(words),
        counted=np.ones(len(words), bool),
        remarks=remarks,
    )


def _vectorizer(name: str, most: int, least: int, fitted_columns: Sequence[str] | None, separator: str | None) -> Any:
    try:
        text = import_module("sklearn.feature_extraction.text")
    except ImportError as error:
        raise MissingPackageError(
            "features of texts need the package scikit-learn: pip install scikit-learn"
        ) from error
    options: dict[str, Any] = {"max_features": most, "min_df": least}
    if fitted_columns is not None:
        prefix = f"{name}="
        vocabulary = [column.removeprefix(prefix) for column in fitted_columns if column.startswith(prefix)]
        if not vocabulary:
            raise DataError(f"the encoder was not fitted on texts called {name}")
        options = {"vocabulary": vocabulary}
    if separator is None:
        return text.CountVectorizer(strip_accents="unicode", stop_words="english", **options)
    split = re.compile(rf"\s*{re.escape(separator)}\s*")
    return text.CountVectorizer(analyzer=lambda names: [name for name in split.split(names.strip()) if name], **options)
