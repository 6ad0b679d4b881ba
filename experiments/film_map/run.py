"""Draw a map of films by what an autoencoder makes of their genres, years, plots, actors and directors.

    python experiments/film_map/run.py [--data-dir DIR] [--out DIR] [--titles N] [--threads N]

The films are those of MovieLens 1M. Writes ``map.png`` and ``map.html``, which needs no network. Model and projection
are kept beside them, so that the picture can be drawn again without another fit.
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
import page  # noqa: E402  beside this file
import picture  # noqa: E402
from genres import group_of  # noqa: E402

NAME, COLUMNS, SEED = "ml-1m", "genres,year,plots,actors,directors", 0
SPEC = Denoising(latent=32, epochs=15)
NEIGHBOURS = 40.0
"""Perplexity of the projection."""


def main() -> None:
    """Fit, project and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with ml-1m.zip and content/; default $RECSYS_AE_DATA")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="what is made goes here")
    parser.add_argument("--titles", type=int, default=32, help="titles that are written into the picture")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    asked = parser.parse_args()
    folder = asked.data_dir or default_data_dir()
    asked.out.mkdir(parents=True, exist_ok=True)
    films = known(folder)
    codes = coded(folder, asked.out, asked.threads).of(films.index)
    films = films.loc[codes.ids]
    films[["x", "y"]] = projected(codes, asked.out)
    picture.draw(films, asked.out / "map.png", asked.titles)
    page.write(films, asked.out / "map.html")
    print(f"{len(films):,} films in {asked.out / 'map.png'} and {asked.out / 'map.html'}")


def known(folder: Path) -> pd.DataFrame:
    """Return title, genres, group and number of ratings of each film that somebody has rated."""
    data: Any = named.load(NAME, data_dir=folder)
    counts = pd.Series(data.interactions.matrix.getnnz(axis=0), index=data.interactions.items)
    films = data.items.loc[counts.index, ["title", "genres"]].copy()
    films["group"] = [group_of(genres) for genres in films["genres"]]
    films["ratings"] = counts
    return films


def coded(folder: Path, out: Path, threads: int) -> Features:
    """Return the codes of all films, of a model that is fitted once."""
    features = read_features(f"{NAME}:{COLUMNS}", data_dir=folder)
    if (out / "model").is_dir():
        model = FeatureEncoder.load(out / "model", device="cpu")
        if model.spec == SPEC and model.metadata["train_fingerprint"] == features.fingerprint:
            return model.encode(features)
    model = FeatureEncoder(SPEC).fit(features, run=Run(seed=SEED, device="cpu", threads=threads))
    model.save(out / "model", overwrite=True)
    return model.encode(features)


def projected(codes: Features, out: Path) -> np.ndarray:
    """Return two coordinates for each code, ``(n, 2)``, by t-SNE (van der Maaten and Hinton 2008), made once."""
    path = out / f"projection-{replace(codes, remarks=()).fingerprint}.npy"
    if path.exists():
        found: np.ndarray = np.load(path, allow_pickle=False)
        return found
    found = TSNE(perplexity=NEIGHBOURS, init="pca", random_state=SEED).fit_transform(np.asarray(codes.matrix))
    with whole_file(path) as partial, partial.open("wb") as file:
        np.save(file, found)
    return found


if __name__ == "__main__":
    main()
