"""Invented movies: MovieLens genres, with titles and years that fit them."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Genre(NamedTuple):
    """A genre: its frequency, the first and last year of its movies, and words for their titles.

    All spans of years overlap, so that a movie can have any genres.
    """

    weight: float
    first: int
    last: int
    adjectives: str
    nouns: str


GENRES = {
    "Action": Genre(9, 1950, 2009, "Burning Iron Reckless Hostile Armoured", "Convoy Strike Fuse Pursuit Rampart"),
    "Adventure": Genre(7, 1940, 2009, "Uncharted Sunken Farthest Amber Windy", "Caravan Compass Isle Voyage Delta"),
    "Animation": Genre(3, 1940, 2009, "Paper Bouncing Tiny Clumsy Starry", "Badger Balloon Teapot Weasel Puddle"),
    "Children": Genre(4, 1945, 2009, "Merry Muddy Whistling Curious Drowsy", "Pony Treehouse Lantern Parade Pumpkin"),
    "Comedy": Genre(17, 1932, 2009, "Awkward Borrowed Hasty Unlikely Jolly", "Uncle Dentist Picnic Landlord Bride"),
    "Crime": Genre(6, 1935, 2009, "Stolen Marked Guilty Velvet Quiet", "Ledger Safe Alibi Syndicate Getaway"),
    "Documentary": Genre(3, 1948, 2009, "Patient Vanishing Ordinary Wide Steady", "Harvest Archive Glacier Mill Tide"),
    "Drama": Genre(20, 1930, 2009, "Silent Fading Distant Unspoken Bitter", "Orchard Winter Daughter Harbour Letter"),
    "Fantasy": Genre(4, 1939, 2009, "Enchanted Silver Seventh Sleeping Hollow", "Griffin Oracle Thorn Sorcerer Mirror"),
    "Film-Noir": Genre(2, 1941, 1958, "Crooked Smoky Midnight Cold Nameless", "Stairway Witness Alley Stranger Debt"),
    "Horror": Genre(5, 1931, 2009, "Rotting Pale Whispering Buried Ashen", "Cellar Scarecrow Nursery Well Parish"),
    "Musical": Genre(2, 1933, 2009, "Dancing Golden Twilight Singing Velvet", "Matinee Chorus Trumpet Revue Serenade"),
    "Mystery": Genre(4, 1936, 2009, "Missing Locked Veiled Absent Unsigned", "Portrait Lodger Cipher Key Manuscript"),
    "Romance": Genre(9, 1932, 2009, "Tender Secret Second Hopeful Moonlit", "Promise Suitor Terrace Waltz Postcard"),
    "Sci-Fi": Genre(6, 1951, 2009, "Orbital Frozen Synthetic Parallel Neon", "Colony Signal Android Horizon Reactor"),
    "Thriller": Genre(9, 1944, 2009, "Narrow Sudden Hidden Lethal Blind", "Motive Exit Passenger Threat Deadline"),
    "War": Genre(3, 1940, 2009, "Scarlet Northern Broken Last Forgotten", "Regiment Trench Bridge Dispatch Siege"),
    "Western": Genre(2, 1939, 1976, "Dusty Lonesome Crimson Drifting Thirsty", "Canyon Saddle Marshal Stagecoach Mesa"),
}  # fmt: skip
PLACES = tuple(
    onset + ending
    for onset in ("Bar", "Cal", "Dun", "Fen", "Gar", "Hal", "Kes", "Lor", "Mar", "Nor", "Quen", "Ros", "Tarn", "Wex")
    for ending in ("bridge", "combe", "dale", "field", "ford", "gate", "haven", "holt", "mere", "stead", "ton", "wick")
)


def invent_movies(n_items: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return ``n_items`` movies, numbered from 1, and their genres as a mask, ``(n_items, len(GENRES))`` bool.

    The table has the columns title, with the year in brackets; year; and genres, a tuple of one to three names.
    """
    weights = np.array([genre.weight for genre in GENRES.values()])
    # The genres with the largest log-weight plus Gumbel noise are a weighted draw without replacement.
    noise = rng.gumbel(size=(n_items, len(GENRES))).astype(np.float32) + np.log(weights / weights.sum()).astype(
        np.float32
    )
    ranked = np.argsort(-noise, axis=1)[:, :3]
    count = rng.choice([1, 2, 3], size=n_items, p=[0.4, 0.4, 0.2])
    has = np.zeros((n_items, len(GENRES)), dtype=bool)
    for rank in range(3):
        rows = np.flatnonzero(count > rank)
        has[rows, ranked[rows, rank]] = True
    years = _years(has, rng)
    main, second = ranked[:, 0], ranked[np.arange(n_items), np.minimum(count - 1, 1)]
    columns = {
        "title": _titles(main, second, years, rng),
        "year": pd.array(years, dtype="Int64"),
        "genres": _names(has),
    }
    return pd.DataFrame(columns, index=pd.Index(np.arange(1, n_items + 1), name="item")), has


def _years(has: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a year for each movie in which all of its genres were made; recent years are more frequent."""
    first = np.where(has, [genre.first for genre in GENRES.values()], 0).max(axis=1)
    last = np.where(has, [genre.last for genre in GENRES.values()], 9999).min(axis=1)
    years: np.ndarray = first + np.floor(rng.beta(2.5, 1.2, size=len(has)) * (last - first + 1)).astype(np.int64)
    return years


def _titles(main: np.ndarray, second: np.ndarray, years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return titles made of words of two genres and invented places; repeated titles are numbered."""
    adjectives = np.array([genre.adjectives.split() for genre in GENRES.values()], object)
    nouns = np.array([genre.nouns.split() for genre in GENRES.values()], object)
    n = len(main)
    adjective = adjectives[main, rng.integers(adjectives.shape[1], size=n)]
    noun = nouns[second, rng.integers(nouns.shape[1], size=n)]
    town = np.array(PLACES, object)[rng.integers(len(PLACES), size=n)]
    shapes = [
        adjective + " " + noun + " of " + town,
        town + " " + noun,
        noun + " at " + town,
        adjective + " " + town,
    ]
    titles = pd.Series(np.choose(rng.integers(len(shapes), size=n), shapes))
    number = titles.groupby(titles).cumcount().to_numpy() + 1
    suffix = np.where(number > 1, " " + number.astype(str).astype(object), "")
    numbered: np.ndarray = titles.to_numpy(dtype=object) + suffix + " (" + years.astype(str).astype(object) + ")"
    return numbered


def _names(has: np.ndarray) -> np.ndarray:
    """Return each movie's tuple of genre names; equal combinations share one tuple."""
    names = np.array(list(GENRES), object)
    codes = has @ (1 << np.arange(has.shape[1]))
    combinations, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    tuples = np.empty(len(combinations), object)
    for position, row in enumerate(first):
        tuples[position] = tuple(names[has[row]])
    return tuples[inverse]
