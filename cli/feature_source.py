"""Where features come from: read for a fit, and read the same way again for an encoding."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .display import note

if TYPE_CHECKING:
    from recsys_ae.datasets.features import Features


def read(given: Mapping[str, Any], known: Sequence[str] | None = None) -> "Features":
    """Read and join what the options name; ``known`` are the columns of a fitted encoder."""
    from recsys_ae.datasets.feature_sources import read_features  # noqa: PLC0415
    from recsys_ae.datasets.features import joined  # noqa: PLC0415

    return joined([
        read_features(
            source,
            id=given["id_column"],
            texts=given["text_columns"] or (),
            data_dir=given["data_dir"],
            known=known,
        )
        for source in given["features"]
    ])  # fmt: skip


def written(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, JSON, to be kept beside the model."""
    folder: Path | None = given["data_dir"]
    return {
        "features": list(given["features"]),
        "id_column": given["id_column"],
        "text_columns": list(given["text_columns"] or ()),
        "data_dir": None if folder is None else str(folder.absolute()),
    }


def say(remarks: Iterable[str]) -> None:
    """Print what was noticed, on standard error."""
    for remark in remarks:
        note(f"Note: {remark}")
