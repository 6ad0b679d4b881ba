"""The Million Song Dataset's listeners: the triplets of user, song and plays of the Echo Nest Taste Profile subset."""

from pathlib import Path

import pandas as pd

from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.readers.read import read_interactions

FILES = ("train_triplets.txt", "train_triplets.txt.zip", "train_triplets.txt.gz")


def find(folder: Path) -> Path | None:
    """Return the file of triplets, unpacked where it is there twice; None where there is none."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def read(
    place: Path, duplicates: Duplicates = "error", *, cache: bool = False
) -> tuple[Interactions, pd.DataFrame | None]:
    """Read how often each user played each song; nothing is known of the songs but their ids."""
    triplets = read_interactions(
        place, user=0, item=1, rating=2, separator="\t", header=False, duplicates=duplicates, cache=cache
    )
    return triplets, None
