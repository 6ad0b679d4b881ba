"""Models of a search: groups, models that suit the data, and plug-ins."""

from pathlib import Path

import pytest

from recsys_ae import models
from recsys_ae.errors import ConfigError
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.tuning.portfolio import PORTFOLIO, WITH_FEATURES, chosen
from tests.plug_in import install


def test_the_portfolio_depends_on_the_data() -> None:
    ranked = chosen(None, is_rated=False, has_features=False)
    assert ranked == tuple(name for name in PORTFOLIO if name != "autorec")
    assert chosen(None, is_rated=False, has_features=True) == (*ranked, *WITH_FEATURES)
    assert chosen(None, is_rated=True, has_features=False) == ("autorec",)
    assert {"popularity", "item_knn", "als"} <= set(ranked)


def test_groups_are_complete_and_disjoint() -> None:
    linear, neural, every = (chosen(word, is_rated=False, has_features=True) for word in ("linear", "neural", "all"))
    assert set(linear) | set(neural) == set(every) == set(models.names()) - {"blend", "autorec"}
    assert not set(linear) & set(neural)
    assert all(issubclass(models.spec_class(name), TrainableSpec) for name in neural)
    assert not set(WITH_FEATURES) & set(chosen("all", is_rated=False, has_features=False))


def test_names_are_given_once_and_in_any_spelling() -> None:
    assert chosen(("mult-dae", "ease", "mult_dae"), is_rated=False, has_features=False) == ("mult_dae", "ease")


@pytest.mark.parametrize(
    ("given", "is_rated", "said"),
    [
        ("eese", False, "there is no model 'eese'; did you mean 'ease'?"),
        ("blend", False, "models = 'blend': a blend is made of the best models; use blend"),
        ("autorec", False, "models = 'autorec': autorec predicts ratings; search by rmse"),
        ("ease", True, "models = 'ease': ease ranks items; search by ndcg@100"),
        ("cease", False, "models = 'cease': cease needs item features; give item_features"),
        ("linear", True, "models = 'linear' holds no model for these data"),
    ],
)
def test_models_that_do_not_suit_are_refused(given: str, is_rated: bool, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(given, is_rated=is_rated, has_features=False)
    assert str(caught.value).startswith(said)


def test_models_of_other_packages_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(install(tmp_path)))
    assert "my_model" in chosen("all", is_rated=False, has_features=False)
    assert chosen(["my-model"], is_rated=False, has_features=False) == ("my_model",)
