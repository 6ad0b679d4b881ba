"""Where a training part comes from, which is saved with a model that learns from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RECIPE, FINGERPRINT = "source", "fingerprint"
"""The names in the notes of a saved model."""


@dataclass(frozen=True)
class Origin:
    """The recipe of the data, as JSON, and the fingerprint of its split."""

    recipe: Mapping[str, Any]
    fingerprint: str


def with_origin(notes: Mapping[str, Any], origin: Origin | None) -> dict[str, Any]:
    """Return the notes of a model that learns from data of this origin; without one they have no recipe."""
    if origin is not None:
        return {**notes, RECIPE: dict(origin.recipe), FINGERPRINT: origin.fingerprint}
    former = isinstance(notes.get(RECIPE), Mapping)
    return {name: value for name, value in notes.items() if not (former and name in (RECIPE, FINGERPRINT))}
