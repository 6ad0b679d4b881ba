"""Groups of movie genres and their colours, which readers with red-green colour blindness can tell apart."""

from collections.abc import Sequence

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Children's & animation": ("#56B4E9", ("Animation", "Children's", "Children")),
    "Horror": ("#000000", ("Horror",)),
    "Documentary": ("#B0A400", ("Documentary",)),
    "Science fiction & fantasy": ("#0072B2", ("Sci-Fi", "Fantasy")),
    "Action, war & western": ("#D55E00", ("Action", "Adventure", "War", "Western")),
    "Crime & thriller": ("#CC79A7", ("Crime", "Film-Noir", "Mystery", "Thriller")),
    "Comedy": ("#E69F00", ("Comedy",)),
    "Drama & romance": ("#009E73", ("Drama", "Romance", "Musical")),
}
"""A movie belongs to the first group that has one of its genres. The colours are those of Okabe and Ito (2008)."""
OTHER = "No genre"


def group_of(genres: Sequence[str]) -> str:
    """Return the group of a movie."""
    return next((name for name, (_, members) in GROUPS.items() if set(members) & set(genres)), OTHER)


def colour_of(group: str) -> str:
    """Return the colour of a group."""
    return GROUPS[group][0] if group in GROUPS else "#999999"
