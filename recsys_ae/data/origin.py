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


class UntrustedRecipe(dict[str, Any]):
    """A recipe as JSON, in the notes of a loaded model, of which nothing shows that this user saved it.

    Attributes
    ----------
    doubt
        The reason, as the beginning of a sentence.
    """

    doubt: str

    @classmethod
    def of(cls, notes: Mapping[str, Any], doubt: str | None) -> Mapping[str, Any]:
        """Return notes whose recipe, if they have one, is marked as untrusted; the same notes without a doubt."""
        if doubt is None or not isinstance(notes.get(RECIPE), Mapping):
            return notes
        recipe = cls(notes[RECIPE])
        recipe.doubt = doubt
        return {**notes, RECIPE: recipe}


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
