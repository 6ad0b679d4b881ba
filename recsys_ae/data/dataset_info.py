"""What the named data sets are: titles, counts, licences, addresses and checksums."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set.

    Attributes
    ----------
    items
        What is known of the items, by item id: title as published, year (Int64), genres and, where users gave some,
        tags (tuples of text); None where nothing is known. It may list items that nobody has touched.
    given
        A training and a test part as published, where there are such.
    """

    name: str
    interactions: Interactions
    items: pd.DataFrame | None = None
    given: tuple[Interactions, Interactions] | None = None


@dataclass(frozen=True)
class Remote:
    """A file as its publisher offers it.

    Attributes
    ----------
    path
        Where it belongs in the data folder.
    checksum
        ``"md5:…"`` or ``"sha256:…"``; None where the file changes over time and the publisher keeps its MD5 beside it,
        under the same address with ``.md5`` at the end.
    """

    url: str
    path: str
    checksum: str | None


@dataclass(frozen=True)
class Info:
    """What is known about a data set without having it.

    Attributes
    ----------
    interactions, users, items
        Counts; of items, those that somebody has touched.
    size
        Bytes to download.
    page
        Where the publisher describes it.
    files
        What there is to download; nothing for what is generated, or can be fetched by hand only.
    by_hand
        What belongs into the data folder, where it cannot be downloaded but by hand.
    """

    name: str
    title: str
    interactions: int
    users: int
    items: int
    size: int
    licence: str
    page: str
    files: tuple[Remote, ...]
    by_hand: str = ""


_GROUPLENS = (
    "for research, with acknowledgement of its authors (Harper and Konstan 2015, doi.org/10.1145/2827872); "
    "no commercial use without GroupLens' permission; "
)
_KEEP, _SHARE = "no redistribution without permission", "redistribution under the same conditions only"


def _movielens(
    name: str, title: str, counts: tuple[int, int, int], size: int, licence: str, page: str, md5: str | None
) -> Info:
    file = Remote(
        f"https://files.grouplens.org/datasets/movielens/{name}.zip", f"{name}.zip", f"md5:{md5}" if md5 else None
    )
    page = f"https://grouplens.org/datasets/movielens/{page}/"
    return Info(name, f"MovieLens {title}", *counts, size, _GROUPLENS + licence, page, (file,))


def _gowalla() -> Info:
    folder = "https://raw.githubusercontent.com/gusye1234/LightGCN-PyTorch/master/data/gowalla"
    checksums = {
        "train.txt": "sha256:7244696fdeb23911319cf7b689f2e15a3c4c92549c873a5677b44e3f13cc3e62",
        "test.txt": "sha256:099a2a73924e4b754dc6efd730d764f492321b53c38eb93298850c83acf57be3",
    }
    return Info(
        "gowalla",
        "Gowalla check-ins, the split of LightGCN",
        1_027_370,
        29_858,
        40_981,
        4_633_414 + 1_372_559,
        "none stated; cite LightGCN (He et al. 2020) and Gowalla (Cho, Myers and Leskovec 2011)",
        "https://github.com/gusye1234/LightGCN-PyTorch",
        tuple(Remote(f"{folder}/{file}", f"gowalla/{file}", checksum) for file, checksum in checksums.items()),
    )


_SAMPLE = Info(
    "sample", "Synthetic ratings in the shape of MovieLens", 99_983, 2_000, 600, 0, "generated; free of any", "", ()
)
_NETFLIX = Info(
    "netflix",
    "Netflix Prize",
    100_480_507,
    480_189,
    17_770,
    0,
    "for research, with acknowledgement of the data set; no redistribution and no commercial use without Netflix' "
    "permission (the README in the archive); its publisher offers it no more",
    "https://www.netflixprize.com",
    (),
    "netflix/ with training_set/mv_0000001.txt, ... or combined_data_1.txt, ...,",
)
_MSD = Info(
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
    "msd/train_triplets.txt, or the same as .txt.zip,",
)
# Name, title, counts, bytes, licence, page, MD5.
_MOVIELENS: tuple[tuple[str, str, tuple[int, int, int], int, str, str, str | None], ...] = (
    ("ml-100k", "100K", (100_000, 943, 1_682), 4_924_029, _KEEP, "100k", "0e33842e24a9c977be4e0107933c0723"),
    ("ml-1m", "1M", (1_000_209, 6_040, 3_706), 5_917_549, _KEEP, "1m", "c4d9eecfca2ab87c1945afe126590906"),
    ("ml-10m", "10M", (10_000_054, 69_878, 10_677), 65_566_137, _KEEP, "10m", "ce571fd55effeba0271552578f2648bd"),
    ("ml-20m", "20M", (20_000_263, 138_493, 26_744), 198_702_078, _KEEP, "20m", "cd245b17a1ae2cc31bb14903e1204af3"),
    ("ml-25m", "25M", (25_000_095, 162_541, 59_047), 261_978_986, _KEEP, "25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
    ("ml-32m", "32M", (32_000_204, 200_948, 84_432), 238_950_008, _SHARE, "32m", "d472be332d4daa821edc399621853b57"),
    ("ml-latest-small", "Latest Small (of 2018)", (100_836, 610, 9_724), 978_202, _SHARE, "latest", None),
    ("ml-latest", "Latest (of 2023)", (33_832_162, 330_975, 83_239), 335_000_000, _SHARE, "latest", None),
)
_ALL = {one.name: one for one in (_SAMPLE, *(_movielens(*row) for row in _MOVIELENS), _gowalla(), _NETFLIX, _MSD)}


def names() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(_ALL)


def info(name: str) -> Info:
    """Return what is known about a data set; an unknown name is an error that suggests the nearest."""
    if name not in _ALL:
        usual = name.lower().replace("movielens", "ml").replace("_", "-")
        raise ConfigError(f"there is no data set {name!r}{nearest(usual, _ALL)}")
    return _ALL[name]


def default_data_dir() -> Path:
    """Return the folder named by ``RECSYS_AE_DATA``, else the user's cache folder."""
    named = os.environ.get("RECSYS_AE_DATA")
    if named:
        return Path(named).expanduser()
    return user_cache_dir()


def user_cache_dir() -> Path:
    """Return the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "recsys_ae"
