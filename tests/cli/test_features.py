"""``autoencoders``, ``pretrain`` and ``encode``: from features to vectors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae import FeatureEncoder
from tests.cli.conftest import Run

QUICK = ("--latent", 2, "--epochs", 2, "--no-track", "--device", "cpu")


@pytest.fixture
def movies(here: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["length", "budget", "score"])
    frame.insert(0, "movieId", range(100, 140))
    frame["plot"] = [("toy cowboy story" if place % 2 else "war in space") for place in range(40)]
    frame.to_csv(here / "movies.csv", index=False)
    return here / "movies.csv"


def test_the_autoencoders_are_listed(cli: Run) -> None:
    outcome = cli("autoencoders")
    assert outcome.code == 0
    for name in ("pca", "vanilla", "variational", "masked"):
        assert name in outcome.out


def test_each_has_a_command_with_its_own_options(cli: Run) -> None:
    outcome = cli("pretrain", "contractive", "--help")
    for said in ("--contraction", "--jacobian", "--features", "--latent", "[default: 0.1; at least 0]"):
        assert said in outcome.out
    assert "did you mean vanilla?" in cli("pretrain", "vanila", "--features", "x.csv").error
    assert "variational" in cli("pretrain", "--help").out


def test_vectors_with_the_ids_of_the_items_come_out(cli: Run, here: Path, movies: Path) -> None:
    source = ("--features", f"{movies}:length,budget,score")
    outcome = cli("pretrain", "denoising", *source, *QUICK, "--out", "encoder")
    assert outcome.code == 0
    assert "36 rows of 3 columns" in outcome.out
    assert "rmse" in outcome.out
    assert cli("encode", "encoder", *source, "--out", "vectors.parquet").code == 0
    vectors = pd.read_parquet(here / "vectors.parquet")
    assert vectors.columns.tolist() == ["item", "code 0", "code 1"]
    assert vectors["item"].tolist() == list(range(100, 140))
    model = FeatureEncoder.load(here / "encoder", device="cpu")
    assert model.spec.name() == "denoising"
    assert model.notes["source"]["features"] == [f"{movies}:length,budget,score"]


def test_new_texts_are_counted_with_the_old_words(cli: Run, here: Path, movies: Path) -> None:
    source = ("--text-columns", "plot", "--features")
    assert (
        cli("pretrain", "pca", *source, f"{movies}:length", "--latent", 2, "--no-track", "--out", "encoder").code == 0
    )
    (here / "new.csv").write_text("movieId,length,plot\n7,0.5,a cowboy and a dinosaur in space\n8,0.1,\n")
    outcome = cli("encode", "encoder", *source, "new.csv:length", "--out", "-")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["item", "7", "8"]
    assert "Note: 1 of 2 texts of plot are empty" in outcome.err


def test_what_was_noticed_is_said(cli: Run, here: Path) -> None:
    rows = "".join(f"{place},{place % 7},1,{'' if place == 3 else place}\n" for place in range(30))
    (here / "odd.csv").write_text("id,a,same,b\n" + rows)
    outcome = cli("pretrain", "vanilla", "--features", "odd.csv", "--epochs", 2, "--latent", 5, "--no-track")
    assert outcome.code == 0
    assert "1 values are missing" in outcome.err
    assert "1 of 3 columns are constant and of no use: same" in outcome.err
    assert "can learn to copy its input" in outcome.err


@pytest.mark.parametrize(
    ("features", "options", "said"),
    [
        ("movies.csv:day", (), "there is no column 'day'"),
        ("movies.csv:plot", (), "is not a number: 'war in space'"),
        ("none.csv", (), "there is no such file"),
        ("mnits", (), "did you mean 'mnist'"),
        ("movies.csv:length", ("--likelihood", "bernoulli", "--scale", "none"), "values from 0 to 1"),
    ],
)
def test_features_that_cannot_be_used(
    cli: Run, movies: Path, features: str, options: tuple[str, ...], said: str
) -> None:
    outcome = cli("pretrain", "deep", "--features", features, *QUICK, *options)
    assert outcome.code == 1
    assert said in outcome.error


@pytest.mark.parametrize("command", ["pretrain", "study"])
@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("year,a\n1999,1\n2001,2\n1999,3\n", (), "the id 1999 has more than one row: rows 1 and 3; ids are read from"),
        ("year,a\n1999,1\n2001,2\n1999,3\n", (), "set --id-column to another column, or keep one row of each id"),
        ("item,a\n1,1\n2,2\n", ("--id-column", "film"), "--id-column film: there is no such column; the columns are"),
        (
            "item,title,a\n1,Up,3\n2,Heat,4\n",
            (),
            "'Up' (2 such rows); if it is text, set --text-columns title",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_the_words_of_the_options(
    cli: Run, here: Path, command: str, content: str, options: tuple[str, ...], said: str
) -> None:
    (here / "own.csv").write_text(content)
    source = ("pretrain", "pca", "--features") if command == "pretrain" else ("study", "--dry-run", "--data")
    outcome = cli(*source, "own.csv", *options)
    assert outcome.code == 1
    assert "own.csv: " in outcome.error
    assert said in outcome.error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("year,a\n1999,1\n2001,2\n1999,3\n", "set the header item to another column, or keep one row of each id"),
        (
            "item,title,a\n1,Up,3\n2,Heat,4\n",
            "set --text-columns title in recsys-ae pretrain and encode, and use their vectors here; or read other",
        ),
    ],
)
def test_a_command_without_options_for_texts_and_ids_says_what_has_them(
    cli: Run, here: Path, content: str, said: str
) -> None:
    (here / "own.csv").write_text(content)
    outcome = cli("fit", "ease", "--data", "sample", "--item-features", "own.csv", "--out", "model", "--no-track")
    assert outcome.code == 1
    assert said in outcome.error


def test_models_of_the_other_kind_are_refused(cli: Run, movies: Path, model: Path) -> None:
    source = ("--features", f"{movies}:length,budget")
    refused = cli("encode", model, *source, "--out", "v.csv").error
    assert "is not a saved FeatureEncoder; load it with Recommender" in refused
    assert cli("pretrain", "pca", *source, "--latent", 1, "--no-track", "--quiet", "--out", "encoder").code == 0
    assert "is not a saved Recommender; load it with FeatureEncoder" in cli("evaluate", "encoder").error
    assert "columns are missing" in cli("encode", "encoder", "--features", f"{movies}:score", "--out", "v.csv").error


def test_out_of_bounds_is_wrong_usage(cli: Run, movies: Path) -> None:
    outcome = cli("pretrain", "sparse", "--features", movies, "--activation", "relu")
    assert outcome.code == 2
    assert "use --activation sigmoid" in outcome.error
    assert cli("pretrain", "sparse", "--no-track").code == 2


def test_pictures_are_encoded_at_the_size_that_they_were_fitted_at(cli: Run, here: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (here / "posters").mkdir()
    for place in range(6):
        image.fromarray(np.full((12, 9, 3), 40 * place, np.uint8)).save(here / "posters" / f"{place + 1}.png")
    source = ("--features", "posters")
    assert cli("pretrain", "pca", *source, "--image-size", 8, "--latent", 2, "--no-track", "--out", "m").code == 0
    model = FeatureEncoder.load(here / "m", device="cpu")
    assert model.form == (3, 8, 8)
    assert model.notes["source"]["image_size"] == 8
    assert cli("encode", "m", *source, "--out", "v.parquet").code == 0
    assert pd.read_parquet(here / "v.parquet")["item"].tolist() == [1, 2, 3, 4, 5, 6]
    outcome = cli("encode", "m", *source, "--image-size", 16, "--out", "w.parquet")
    assert outcome.code == 1
    assert "images of 3 × 16 × 16, but the model was fitted on images of 3 × 8 × 8" in outcome.error
    assert not (here / "w.parquet").exists()
    assert cli("encode", "m", *source, "--image-size", 0, "--out", "w.parquet").code == 2


def test_histories_are_encoded_with_as_many_steps_as_in_the_fit(cli: Run, here: Path) -> None:
    source = ("--features", "sample:histories")
    fit = ("pretrain", "recurrent", *source, *QUICK, "--epochs", 1, "--hidden", 4, "--history-steps", 6, "--out", "m")
    assert cli(*fit).code == 0
    assert FeatureEncoder.load(here / "m", device="cpu").form == (6, 2)
    assert cli("encode", "m", *source, "--out", "v.parquet").code == 0
    outcome = cli("pretrain", "pca", "--features", "sample:genres", "--history-steps", 6, "--no-track")
    assert outcome.code == 1
    assert "--history-steps 6 is for NAME:histories" in outcome.error


def test_a_dry_run_tells_the_memory_and_saves_nothing(cli: Run, here: Path, movies: Path) -> None:
    source = ("--features", f"{movies}:length,budget,score")
    outcome = cli("pretrain", "deep", *source, *QUICK, "--out", "m", "--dry-run")
    assert outcome.code == 0
    for said in ("Memory: the fit needs", "moments of adam", "activations of a batch", "Dry run"):
        assert said in outcome.out
    assert not (here / "m").exists()
    assert cli("pretrain", "deep", *source, *QUICK, "--out", "m").code == 0
    assert cli("pretrain", "deep", *source, *QUICK, "--out", "m", "--dry-run").code == 0


def test_what_cannot_fit_is_refused_before_it_is_built(cli: Run, here: Path, movies: Path) -> None:
    source = ("--features", f"{movies}:length,budget,score")
    for more in (("--dry-run",), ()):
        outcome = cli("pretrain", "deep", *source, "--hidden", "3000000,3000000", "--no-track", "--out", "m", *more)
        assert outcome.code == 1
        assert "GiB are free; most of it is for moments of adam: lower --hidden or --latent" in outcome.error
    assert not (here / "m").exists()
