"""Draw a map of movies from an autoencoder's codes of their genres, years, plots, actors and directors.

    python experiments/movie_map/run.py [--data-dir DIR] [--out DIR] [--titles N] [--threads N]

The movies are those of MovieLens 1M. The script writes ``map.png`` and ``map.html``, which needs no network. It saves
model and projection next to them, so that the picture can be drawn again without another fit.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.data import named
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.features.data.read import read_features
from recsys_ae.features.models import Denoising
from recsys_ae.storage.atomic import whole_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import page  # noqa: E402  next to this file
import picture  # noqa: E402
from genres import group_of  # noqa: E402

NAME, COLUMNS, SEED = "ml-1m", "genres,year,plots,actors,directors", 0
SPEC = Denoising(latent=32, epochs=15)
NEIGHBOURS = 40.0
"""Perplexity of the t-SNE projection."""


def main() -> None:
    """Fit, project and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with ml-1m.zip and content/; default: $RECSYS_AE_DATA")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", help="output folder; default: results/ of the experiment"
    )
    parser.add_argument(
        "--titles", type=int, default=32, help="largest number of titles in the picture; default: %(default)s"
    )
    parser.add_argument("--threads", type=int, default=1, help="number of CPU threads; default: %(default)s")
    arguments = parser.parse_args()
    folder = arguments.data_dir or default_data_dir()
    arguments.out.mkdir(parents=True, exist_ok=True)
    movies = rated(folder)
    codes = encoded(folder, arguments.out, arguments.threads).of(movies.index)
    movies = movies.loc[codes.ids]
    movies[["x", "y"]] = projected(codes, arguments.out)
    picture.draw(movies, arguments.out / "map.png", arguments.titles)
    page.write(movies, arguments.out / "map.html")
    print(f"{len(movies):,} movies in {arguments.out / 'map.png'} and {arguments.out / 'map.html'}")


def rated(folder: Path) -> pd.DataFrame:
    """Return title, genres, group and number of ratings of each rated movie."""
    data: Any = named.load(NAME, data_dir=folder)
    counts = pd.Series(data.interactions.matrix.getnnz(axis=0), index=data.interactions.items)
    movies = data.items.loc[counts.index, ["title", "genres"]].copy()
    movies["group"] = [group_of(genres) for genres in movies["genres"]]
    movies["ratings"] = counts
    return movies


def encoded(folder: Path, out: Path, threads: int) -> Features:
    """Return the codes of all movies; fit the model unless it is saved."""
    features = read_features(f"{NAME}:{COLUMNS}", data_dir=folder)
    if (out / "model").is_dir():
        model = FeatureEncoder.load(out / "model", device="cpu")
        if model.spec == SPEC and model.metadata["train_fingerprint"] == features.fingerprint:
            return model.encode(features)
    model = FeatureEncoder(SPEC).fit(features, run=Run(seed=SEED, device="cpu", threads=threads))
    model.save(out / "model", overwrite=True)
    return model.encode(features)


def projected(codes: Features, out: Path) -> np.ndarray:
    """Return two coordinates per code, ``(n, 2)``, by t-SNE (van der Maaten and Hinton 2008); compute them once."""
    path = out / f"projection-{replace(codes, remarks=()).fingerprint}.npy"
    if path.exists():
        coordinates: np.ndarray = np.load(path, allow_pickle=False)
        return coordinates
    coordinates = TSNE(perplexity=NEIGHBOURS, init="pca", random_state=SEED).fit_transform(np.asarray(codes.matrix))
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, coordinates)
    return coordinates


if __name__ == "__main__":
    main()
