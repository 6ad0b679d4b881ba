"""MovieLens: benchmark data sets and latest data sets of GroupLens."""

from functools import partial
from pathlib import Path

from recsys_ae.data.dataset_info import USUAL, CatalogEntry, Dataset, Info, ReadOptions, Remote
from recsys_ae.data.readers.movielens import ratings_file, read_fold, read_items, read_ratings

FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
UNPACKED = {"ml-10m": "ml-10M100K"}
"""Folders within archives that are not named like the archive."""

SOURCE = "https://files.grouplens.org/datasets/movielens"
LICENCE = (
    "for research, with acknowledgement of its authors (Harper and Konstan 2015, doi.org/10.1145/2827872); "
    "no commercial use without GroupLens' permission; "
)
KEEP, SHARE = "no redistribution without permission", "redistribution under the same conditions only"
# Name, title, counts, bytes, licence, page, MD5.
PUBLISHED: tuple[tuple[str, str, tuple[int, int, int], int, str, str, str | None], ...] = (
    ("ml-100k", "100K", (100_000, 943, 1_682), 4_924_029, KEEP, "100k", "0e33842e24a9c977be4e0107933c0723"),
    ("ml-1m", "1M", (1_000_209, 6_040, 3_706), 5_917_549, KEEP, "1m", "c4d9eecfca2ab87c1945afe126590906"),
    ("ml-10m", "10M", (10_000_054, 69_878, 10_677), 65_566_137, KEEP, "10m", "ce571fd55effeba0271552578f2648bd"),
    ("ml-20m", "20M", (20_000_263, 138_493, 26_744), 198_702_078, KEEP, "20m", "cd245b17a1ae2cc31bb14903e1204af3"),
    ("ml-25m", "25M", (25_000_095, 162_541, 59_047), 261_978_986, KEEP, "25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
    ("ml-32m", "32M", (32_000_204, 200_948, 84_432), 238_950_008, SHARE, "32m", "d472be332d4daa821edc399621853b57"),
    ("ml-latest-small", "Latest Small (of 2018)", (100_836, 610, 9_724), 978_202, SHARE, "latest", None),
    ("ml-latest", "Latest (of 2023)", (33_832_162, 330_975, 83_239), 335_000_000, SHARE, "latest", None),
)


def find(name: str, folder: Path) -> Path | None:
    """Return the path of the publisher's archive, or of the folder that it was unpacked to; None without either."""
    archive = folder / f"{name}.zip"
    if archive.is_file():
        return archive
    inner = UNPACKED.get(name, name)
    folders = (folder / name, folder / inner, folder / name / inner)
    return next((candidate for candidate in folders if (candidate / ratings_file(name)).is_file()), None)


def read(name: str, path: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read ratings and movies, and for ml-100k a published fold."""
    return Dataset(
        name,
        read_ratings(name, path, options.duplicates, cache=options.cache),
        read_items(name, path),
        read_fold(path, options.fold or FOLDS[0], options.duplicates) if name == "ml-100k" else None,
    )


def _entry(
    name: str, title: str, counts: tuple[int, int, int], size: int, licence: str, page: str, md5: str | None
) -> CatalogEntry:
    file = Remote(f"{SOURCE}/{name}.zip", f"{name}.zip", f"md5:{md5}" if md5 else None)
    page = f"https://grouplens.org/datasets/movielens/{page}/"
    info = Info(name, f"MovieLens {title}", *counts, size, LICENCE + licence, page, (file,))
    return CatalogEntry(
        info,
        partial(read, name),
        partial(find, name),
        f"{name}.zip or {name}/{ratings_file(name)}",
        FOLDS if name == "ml-100k" else (),
    )


DATASETS = tuple(_entry(*row) for row in PUBLISHED)
