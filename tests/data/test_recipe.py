"""Tests of data recipes: reading, filters and splits, and the recipe of a saved model."""

import contextlib
import copy
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae import Recommender, blend, read_interactions
from recsys_ae.data.filters import MinInteractions, MinRating
from recsys_ae.data.origin import UntrustedRecipe
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.recipe_table import RecipeError, options
from recsys_ae.data.splits import kinds
from recsys_ae.data.splits.split import split_given, split_users
from recsys_ae.errors import ConfigError, DataError, RecsysError
from recsys_ae.models import EASE, AutoRec

KINDS = [name for name in kinds.names() if name != "given"]


def write(path: Path, *, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    pairs = [(user, item) for user in range(60) for item in rng.choice(30, 12, replace=False)]
    lines = [f"{u},{i},{rng.integers(1, 6)},{rng.integers(1, 10**6)}" for u, i in pairs]
    path.write_text("\n".join(["user,item,rating,timestamp", *lines]))
    return path


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("recipe") / "ratings.csv")


def saved(recipe: DataRecipe, folder: Path) -> tuple[str, Recommender]:
    """Fit a model to the split of a recipe, save and load it; return the fingerprint of the split and the model."""
    split = recipe.split()
    spec = AutoRec(latent=2, epochs=1) if recipe.split_kind == "ratings" else EASE()
    Recommender(spec).fit(split.train, valid=split.valid).save(folder)
    return split.fingerprint, Recommender.load(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_the_split_of_its_fit(kind: str, ratings: Path, tmp_path: Path) -> None:
    fingerprint, model = saved(DataRecipe(data=str(ratings), split_kind=kind), tmp_path / "model")
    split = model.recipe.split()
    assert split.fingerprint == fingerprint == model.notes["fingerprint"]
    assert split.train.items.equals(model.items)
    assert model.recipe == DataRecipe.from_json(json.loads(json.dumps(model.recipe.as_json())))
    assert model.recipe.split_kind == kind


def test_given_parts_are_read_again(ratings: Path, tmp_path: Path) -> None:
    data = read_interactions(ratings)
    test = np.arange(data.nnz) % 5 == 0
    for name, interactions in (("base", data.take(~test)), ("test", data.take(test))):
        rows, columns = interactions.matrix.nonzero()
        lines = [
            f"{interactions.users[u]},{interactions.items[i]},{interactions.matrix[u, i]:g}"
            for u, i in zip(rows, columns, strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,rating", *lines]))
    paths = {"data": str(tmp_path / "base.csv"), "test_data": str(tmp_path / "test.csv")}
    recipe = DataRecipe(**paths, split_kind="given", min_user_items=3)
    fingerprint, model = saved(recipe, tmp_path / "model")
    assert model.recipe.split().fingerprint == fingerprint
    base, held = (MinRating(4)(read_interactions(path)) for path in paths.values())
    assert fingerprint == split_given(MinInteractions(user=3)(base), held, seed=98765, read=base).fingerprint
    # A recipe of an early version has no whole_histories, and still makes the same split.
    stored = {name: value for name, value in recipe.as_json().items() if name != "whole_histories"}
    early_fingerprint = split_given(MinInteractions(user=3)(base), held, seed=98765).fingerprint
    assert DataRecipe.from_json(stored).split().fingerprint == early_fingerprint != fingerprint


@pytest.mark.parametrize(
    "how",
    [
        {"data": "sample"},
        {"data": "ml-100k", "split_kind": "given", "fold": "u2"},
        {"data": "ml-100k", "split_kind": "leave-last", "min_rating": "none"},
        {"data": "ml-latest-small", "split_recipe": "liang2018", "valid_users": 50, "test_users": 50},
        {"data": "gowalla", "split_kind": "given"},
    ],
)
def test_named_data_are_split_again(how: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if how["data"] != "sample":
        how = {**how, "data_dir": request.getfixturevalue("data_dir")}
    recipe = DataRecipe(**how)
    split = recipe.split()
    again = DataRecipe.from_json(json.loads(json.dumps(dict(split.train.origin.recipe))), split.fingerprint)
    assert again.split().fingerprint == split.fingerprint
    assert again.title == how["data"]


def test_a_recipe_says_what_the_functions_do(ratings: Path) -> None:
    split = DataRecipe(data=str(ratings), min_rating=3, k_core=True, min_item_users=4, valid_users=5).split()
    data = MinInteractions(user=5, item=4, repeat=True)(MinRating(3)(read_interactions(ratings)))
    assert split.fingerprint == split_users(data, n_valid=5, n_test=0.1, seed=98765).fingerprint


def test_the_data_may_have_moved_but_not_changed(ratings: Path, tmp_path: Path) -> None:
    path = tmp_path / "there.csv"
    path.write_bytes(ratings.read_bytes())
    fingerprint, model = saved(DataRecipe(data=str(path)), tmp_path / "model")
    path.rename(tmp_path / "elsewhere.csv")
    with pytest.raises(DataError, match=r"there\.csv: there is no such file"):
        model.recipe.split()
    assert model.recipe.split(data=tmp_path / "elsewhere.csv").fingerprint == fingerprint
    changed = write(tmp_path / "changed.csv", seed=1)
    with pytest.raises(DataError, match=rf"the model was fitted on {fingerprint}: the data have changed since"):
        model.recipe.split(data=changed)


def test_the_data_of_a_model_of_somebody_else_are_read_only_where_the_caller_says_that_they_are(
    ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs.csv"
    path.write_bytes(ratings.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "their state"))
        fingerprint, _ = saved(DataRecipe(data=str(path)), tmp_path / "model")
    model = Recommender.load(tmp_path / "model")
    message = (
        "the model was saved by somebody else, or by an earlier version, so the data that the model names are not read "
        f"('{path}'); give data, or load and save the model again if you trust it"
    )
    recipe = model.recipe
    moved, copied = recipe.at(data_dir=tmp_path), copy.deepcopy(model).recipe
    uses = (recipe.split, recipe.load, recipe.read, recipe.unsplit().read, moved.load, copied.read)
    for use in uses:
        with pytest.raises(DataError) as caught:
            use()
        assert str(caught.value) == message
    assert recipe.split(data=ratings).fingerprint == fingerprint
    assert recipe.read(recipe.at(data=ratings).load()).split().fingerprint == fingerprint
    with pytest.raises(DataError, match="the data have changed since"):
        recipe.split(data=write(tmp_path / "changed.csv", seed=1))
    # Whoever saves it says that it may be trusted; a fit has its own recipe.
    model.save(tmp_path / "again")
    assert Recommender.load(tmp_path / "again").recipe.split().fingerprint == fingerprint
    assert model.fit(recipe.split(data=ratings).train).recipe.split().fingerprint == fingerprint
    mixed = blend([Recommender.load(tmp_path / "model"), Recommender.load(tmp_path / "model")])
    with pytest.raises(DataError, match="are not read"):
        mixed.recipe.split()


@pytest.mark.parametrize("data", ["ml-100k", "ml-20m", "gowalla", "sample", "/etc/passwd", "\\\\host\\share", "a.csv"])
def test_a_recipe_of_somebody_else_touches_no_file_and_no_network(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae.data import named

    touched: list[str] = []
    for name in ("load", "find", "download"):
        monkeypatch.setattr(named, name, lambda *_, **__: touched.append(data))
    looked_up = Path.stat

    def stat(path: Path, **how: Any) -> Any:
        if str(path).endswith(data):
            touched.append(str(path))
        return looked_up(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    notes = UntrustedRecipe.of({"source": {**DataRecipe(data="./x.csv").as_json(), "data": data}}, "it is theirs")
    recipe = DataRecipe.of_notes(notes)
    assert recipe.title
    for use in (recipe.split, recipe.load, recipe.read, recipe.at(data_dir="here").split, recipe.unsplit().load):
        with pytest.raises(DataError, match="it is theirs, so the data that the model names are not read"):
            use()
    assert touched == []


def test_a_trusted_recipe_stays_as_it_is() -> None:
    notes = {"source": DataRecipe().as_json(), "fingerprint": "abc", "titles": []}
    assert UntrustedRecipe.of(notes, None) is notes
    assert UntrustedRecipe.of({"source": "the shop"}, "why") == {"source": "the shop"}
    assert DataRecipe.of_notes(notes).doubt is None
    untrusted = UntrustedRecipe.of(notes, "why")
    assert untrusted == notes
    assert json.loads(json.dumps(untrusted)) == notes
    assert DataRecipe.of_notes(untrusted).doubt == "why"


WRONG: list[Any] = [
    None, True, 5, -1, 10**30, 10**400, 1.5, 1e400, float("nan"), "", [], {}, "x" * 1000, ["a"], {"a": 1}, "\0", b"",
]  # fmt: skip


@pytest.mark.parametrize("name", [*DataRecipe().as_json(), "expected", "doubt", "split_settings", "more"])
def test_options_of_other_types_are_refused_or_harmless(name: str) -> None:
    base = DataRecipe(data="/x/y.csv").as_json()
    for value in WRONG:
        with contextlib.suppress(RecsysError):
            recipe = DataRecipe.from_json({**base, name: value})
            _ = recipe.title, recipe.threshold, recipe.split_options, recipe.as_json()
            _ = recipe.at("/a/b"), recipe.unsplit()
            assert recipe.doubt is recipe.expected is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_user_items": "5"}, "min_user_items = '5': expected a whole number, not str"),
        ({"min_user_items": True}, "min_user_items = True: expected a whole number, not bool"),
        ({"k_core": 1}, "k_core = 1: expected True or False, not int"),
        ({"valid_users": [1]}, r"valid_users = \[1\]: expected a number, not list"),
        ({"encoding": None}, "encoding = None: expected text, not NoneType"),
        ({"user_column": 1.5}, "user_column = 1.5: expected text or a whole number, not float"),
        ({"min_rating": float("inf")}, "min_rating = inf: expected a finite number of at most 64 bits"),
        ({"split_seed": 2**63}, "split_seed = 9223372036854775808: expected a finite number of at most 64 bits"),
        ({"data": 7}, "data = 7: expected text or a path, not int"),
    ],
)
def test_an_option_of_another_type_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DataRecipe(**options)


def test_a_model_of_data_made_in_memory_has_no_recipe(ratings: Path, tmp_path: Path) -> None:
    split = DataRecipe(data=str(ratings)).split()
    model = Recommender(EASE()).fit(split.train)
    assert model.recipe.data == str(ratings)
    message = "the model has no data recipe: it was fitted on data in memory"
    for train in (read_interactions(ratings), MinInteractions(user=9)(split.train)):
        # The same model is fitted again, on other data.
        with pytest.raises(DataError, match=message):
            _ = model.fit(train).recipe
    with pytest.raises(DataError, match=message):
        _ = Recommender(EASE()).recipe
    model.notes["source"] = "the shop"
    assert model.fit(read_interactions(ratings)).notes["source"] == "the shop"


def test_a_blend_has_the_recipe_of_its_models(ratings: Path) -> None:
    split = DataRecipe(data=str(ratings)).split()
    models = [Recommender(EASE(l2=l2)).fit(split.train) for l2 in (1, 100)]
    assert blend(models, split.valid).recipe.split().fingerprint == split.fingerprint


def test_what_is_learnt_from_carries_its_recipe_as_it_is(ratings: Path) -> None:
    train = DataRecipe(data=str(ratings)).split().train
    assert dataclasses.replace(train, timestamps=None).origin is train.origin
    assert train.origin.recipe["min_rating"] == 4.0
    for derived in (train.take(train.matrix.data > 0), train.select_users(np.arange(3)), train.onto(train.items[:5])):
        assert derived.origin is None


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"split_kind": "weak", "test_users": 3}, RecipeError, "test_users needs split_kind strong, not weak"),
        ({"split_kind": "strong", "fold": "u1"}, RecipeError, "fold needs split_kind given, not strong"),
        ({"header": True}, RecipeError, "header applies to files; sample is a named data set"),
        (
            {"data": "./a.csv", "split_kind": "given"},
            RecipeError,
            "split_kind = 'given' needs a test part; set test_data",
        ),
        ({"data": "samble"}, RecipeError, "data = 'samble': .*; did you mean 'sample'"),
        ({"split_kind": "waek"}, ConfigError, "split_kind = 'waek': there is no such split; did you mean 'weak'"),
        ({"duplicates": "first"}, ConfigError, "duplicates = 'first': expected one of last, sum, error"),
        ({"min_rating": "four"}, ConfigError, "min_rating = 'four': expected a number, or one of auto, none"),
        ({"split_settings": {"every": 3}}, RecipeError, "every is not an option of any split"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words_of_python(
    how: dict[str, Any], error: type[RecsysError], said: str
) -> None:
    with pytest.raises(error, match=said):
        DataRecipe(**how)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_rating": -1}, "min_rating = -1 must be a finite number above 0"),
        ({"min_user_items": -1}, "min_user_items = -1 and min_item_users = 0: expected"),
        ({"valid_users": 0.00001}, "valid_users = 1e-05 is neither a number of users"),
        ({"split_seed": -1}, "split_seed = -1 is out of bounds"),
        ({"split_kind": "weak", "valid_share": 1.5}, r"valid_share = 1\.5 is not a share"),
    ],
)
def test_errors_of_filters_and_splits_name_the_options_of_the_recipe(
    options: dict[str, Any], message: str, ratings: Path
) -> None:
    with pytest.raises(RecsysError, match=message):
        DataRecipe(data=str(ratings), **options).split()


def test_a_split_of_parts_needs_data_that_have_them() -> None:
    with pytest.raises(RecipeError, match="sample has no test part of its own; choose another split_kind"):
        DataRecipe(split_kind="given").split()


def test_the_form_of_the_file_is_that_of_the_first_models() -> None:
    assert list(DataRecipe().as_json()) == [
        "user_column", "item_column", "rating_column", "timestamp_column", "separator", "header", "encoding",
        "quote", "decimal", "comment", "skip_lines", "layout", "duplicates", "missing", "data", "data_dir",
        "min_rating",
        "min_user_items", "min_item_users", "k_core", "split",
        "split_recipe", "split_seed", "valid_users", "test_users", "valid_share", "test_data", "fold",
        "whole_histories",
    ]  # fmt: skip
    names = [entry.name for entry in options(DataRecipe)]
    assert [name for name in names if name != "where"] == list(DataRecipe().as_json())[:-1]


def test_a_condition_is_part_of_the_recipe(ratings: Path) -> None:
    recipe = DataRecipe(data=str(ratings), where="rating >= 4")
    assert recipe.as_json()["where"] == "rating >= 4"
    assert DataRecipe.from_json(recipe.as_json()) == recipe
    everything = DataRecipe(data=str(ratings), min_rating="none").read().data.nnz
    assert recipe.read().data.nnz < everything


def test_places_that_are_no_paths_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    titles = {
        "-": "standard-input",
        "s3://bucket/logs": "logs",
        "logs/date=*/*.parquet": "logs",
        "*.csv": tmp_path.name,
    }
    for place, title in titles.items():
        recipe = DataRecipe(data=place)
        assert recipe.title == title
        assert DataRecipe.from_json(recipe.as_json()) == recipe
    assert DataRecipe(data="s3://bucket/logs").data == "s3://bucket/logs"
    assert DataRecipe(data="-").data == "-"


def test_the_table_of_options_needs_no_heavy_package() -> None:
    heavy = {"torch", "pandas", "numpy", "scipy"}
    code = f"import sys, recsys_ae.data.recipe; sys.exit(bool({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
