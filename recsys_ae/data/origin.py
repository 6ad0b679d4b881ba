"""Origin of data: the steps of their preparation, and the recipe and split that are saved with a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RECIPE, FINGERPRINT = "source", "fingerprint"
"""Keys in the notes of a saved model."""


@dataclass(frozen=True)
class Step:
    """A preparation step, with the numbers of interactions, users and items before and after it."""

    name: str
    before: tuple[int, int, int]
    after: tuple[int, int, int]

    def __str__(self) -> str:
        removed = [b - a for b, a in zip(self.before, self.after, strict=True)]
        return f"{self.name}: removed {removed[0]:,} interactions, {removed[1]:,} users, {removed[2]:,} items"


@dataclass(frozen=True)
class Origin:
    """The recipe of the data, as JSON, and the fingerprint of its split."""

    recipe: Mapping[str, Any]
    fingerprint: str


def with_origin(notes: Mapping[str, Any], origin: Origin | None) -> dict[str, Any]:
    """Return the notes of a model fitted on data of this origin; without an origin, drop the recipe in the notes."""
    if origin is not None:
        return {**notes, RECIPE: dict(origin.recipe), FINGERPRINT: origin.fingerprint}
    has_recipe = isinstance(notes.get(RECIPE), Mapping)
    return {name: value for name, value in notes.items() if not (has_recipe and name in (RECIPE, FINGERPRINT))}
