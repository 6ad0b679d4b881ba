"""Output of `evaluate` for a refitted model, which has no users who are held out: its values before the refit."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import DataError

from ..display import Display, as_json
from ..report import shown_name

if TYPE_CHECKING:
    from recsys_ae.recommender.recommender import Recommender


def is_told(model: "Recommender", folder: Path, *, json: bool, per_user: Path | None) -> bool:
    """Say that a refitted model has no test users, and how it was before the refit; return False for other models.

    A table of values per user cannot be written then, which is an error.
    """
    from recsys_ae.recommender.refit_plan import record_of  # noqa: PLC0415

    record = record_of(model.metadata)
    if record is None:
        return False
    sentence = f"{folder} was refitted on all users, so no users are left to evaluate it on"
    if per_user is not None:
        raise DataError(f"{sentence}; leave out --per-user")
    if json:
        as_json({"model": shown_name(model), "metrics": {}, "users": 0, "refit": dict(record)})
    else:
        _show(sentence, record, model.notes.get("options"))
    return True


def _show(sentence: str, record: Mapping[str, Any], options: object) -> None:
    display = Display()
    display.line(f"{sentence}.")
    if record["valid"]:
        display.line("Before the refit, the validation users measured:")
        display.pairs([(f"  {name}", value) for name, value in record["valid"].items()])
    origin = options.get("folder") if isinstance(options, Mapping) else None
    if isinstance(origin, str):
        display.line(f"Test metrics are those of the model before the refit: recsys-ae evaluate {shlex.quote(origin)}")
