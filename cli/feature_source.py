"""Where features come from: read for a fit, and read the same way again for an encoding."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .display import note

if TYPE_CHECKING:
    from recsys_ae.features.data.features import Features


SIZES = ("image_size", "history_steps")


def read(
    given: Mapping[str, Any], known: Sequence[str] | None = None, before: Mapping[str, Any] | None = None
) -> "Features":
    """Read and join what the options name.

    ``known`` are the columns of a fitted encoder, and ``before`` is what it was fitted with (`written`): pictures and
    histories are as large as then where nothing else is asked for.
    """
    how = {"id": given["id_column"], "texts": given["text_columns"] or ()}
    sizes = {name: _size(given, before, name) for name in SIZES}
    return read_all(given["features"], given["data_dir"], known, **how, **sizes)


def read_all(
    sources: Sequence[str], data_dir: Path | None, known: Sequence[str] | None = None, **how: Any
) -> "Features":
    """Read features and join them by their ids; ``how`` is for `read_features`."""
    from recsys_ae.features.data.features import joined  # noqa: PLC0415
    from recsys_ae.features.data.read import read_features  # noqa: PLC0415

    return joined([read_features(one, data_dir=data_dir, known=known, **how) for one in sources])


def written(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, JSON, to be kept beside the model."""
    folder: Path | None = given["data_dir"]
    return {
        "features": list(given["features"]),
        "id_column": given["id_column"],
        "text_columns": list(given["text_columns"] or ()),
        **{name: given[name] for name in SIZES},
        "data_dir": None if folder is None else str(folder.absolute()),
    }


def _size(given: Mapping[str, Any], before: Mapping[str, Any] | None, name: str) -> int | None:
    """Return what is asked for, else what a fit was asked for."""
    size: int | None = given[name]
    return size if size is not None or before is None else before.get(name)


def say(remarks: Iterable[str]) -> None:
    """Print what was noticed, on standard error."""
    for remark in remarks:
        note(f"Note: {remark}")
