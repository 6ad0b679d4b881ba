"""Features from the options of a command, read in the same way for a fit and for an encoding."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import Argument, arguments_named

from .display import note
from .wording import as_text

if TYPE_CHECKING:
    from recsys_ae.features.data.features import Features


SIZES = ("image_size", "history_steps")


def read(
    settings: Mapping[str, Any], columns: Sequence[str] | None = None, fitted: Mapping[str, Any] | None = None
) -> "Features":
    """Read and join the features that the options name.

    ``columns`` are the columns of a fitted encoder, and ``fitted`` are the options of its fit (`written`), whose sizes
    of images and histories are the defaults.
    """
    reading = {"id": settings["id_column"], "texts": settings["text_columns"] or ()}
    sizes = {name: _size(settings, fitted, name) for name in SIZES}
    return read_all(settings["features"], settings["data_dir"], columns, **reading, **sizes)


def read_all(
    sources: Sequence[str], data_dir: Path | None, columns: Sequence[str] | None = None, **reading: Any
) -> "Features":
    """Read features and join them by their ids; ``reading`` goes to `read_features`."""
    from recsys_ae.features.data.features import joined  # noqa: PLC0415
    from recsys_ae.features.data.read import read_features  # noqa: PLC0415

    with nullcontext() if reading else arguments_named(_elsewhere):
        return joined([read_features(source, data_dir=data_dir, known=columns, **reading) for source in sources])


def _elsewhere(argument: Argument) -> Argument | str:
    """Return how to set what a command that only uses features has no option for."""
    if argument.name == "id":
        return "the header item"
    if argument.name == "texts":
        return f"--text-columns {as_text(argument.value)} in recsys-ae pretrain and encode, and use their vectors here"
    return argument


def written(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON, to be saved with the model."""
    folder: Path | None = settings["data_dir"]
    return {
        "features": list(settings["features"]),
        "id_column": settings["id_column"],
        "text_columns": list(settings["text_columns"] or ()),
        **{name: settings[name] for name in SIZES},
        "data_dir": None if folder is None else str(folder.absolute()),
    }


def _size(settings: Mapping[str, Any], fitted: Mapping[str, Any] | None, name: str) -> int | None:
    """Return the size from the options, else that of the fit."""
    size: int | None = settings[name]
    return size if size is not None or fitted is None else fitted.get(name)


def say(remarks: Iterable[str]) -> None:
    """Print remarks on standard error."""
    for remark in remarks:
        note(f"Note: {remark}")
