"""Million Song Dataset: triplets of user, song and plays from the Echo Nest Taste Profile subset."""

from pathlib import Path

from recsys_ae.data.dataset_info import USUAL, CatalogEntry, Dataset, Info, ReadOptions
from recsys_ae.data.readers.read import read_interactions

FILES = ("train_triplets.txt", "train_triplets.txt.zip", "train_triplets.txt.gz")


INFO = Info(
    "msd",
    "Million Song Dataset, Echo Nest Taste Profile subset",
    48_373_586,
    1_019_318,
    384_546,
    0,
    "for research; see the page for its conditions, and cite the Million Song Dataset (Bertin-Mahieux, Ellis, Whitman "
    "and Lamere 2011)",
    "http://millionsongdataset.com/tasteprofile/",
    (),
    "msd/train_triplets.txt (or .txt.zip, .txt.gz)",
)


def find(folder: Path) -> Path | None:
    """Return the path of the file of triplets, unpacked if possible; None if it is not there."""
    paths = (folder / INFO.name / name for name in FILES)
    return next((path for path in paths if path.is_file()), None)


def read(path: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read how often each user played each song; the songs have no metadata."""
    triplets = read_interactions(
        path,
        user=0,
        item=1,
        rating=2,
        separator="\t",
        header=False,
        duplicates=options.duplicates,
        cache=options.cache,
    )
    return Dataset(INFO.name, triplets)


DATASETS = (CatalogEntry(INFO, read, find, INFO.by_hand),)
