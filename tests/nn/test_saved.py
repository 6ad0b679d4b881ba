"""Saving and loading of models of own classes: refused by save, or loaded by load."""

import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from recsys_ae import FeatureEncoder, Recommender, Run, blend
from recsys_ae.errors import ArtefactError, ConfigError
from recsys_ae.features.models import Vanilla
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.models import EASE, Blend, MultVAE, Popularity
from recsys_ae.models.blend import text_of
from recsys_ae.models.popularity import PopularityNetwork
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.spec.hyper import hp
from tests.features.models.curves import features_for
from tests.models.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

CPU = Run(device="cpu")


@dataclass(frozen=True, kw_only=True)
class Own(Spec):
    """A model of this test."""

    def build(self, shape: Shape) -> PopularityNetwork:
        return PopularityNetwork(shape)


@dataclass(frozen=True, kw_only=True)
class Child(EASE):
    """A registered model with another default."""

    l2: float = hp(7.0, "penalty")


@dataclass(frozen=True, kw_only=True)
class OwnEncoder(Vanilla):
    """An autoencoder of this test."""


def namesake(of: type, name: str, module: str) -> Any:
    """Return a subclass with the name and module of a registered class."""
    cls = dataclasses.dataclass(frozen=True, kw_only=True)(type(name, (of,), {"__module__": module}))
    return cls()


def fitted(spec: Any) -> Recommender:
    return Recommender(spec).fit(training_data(), run=CPU)


OWN = {
    "own class": Own(),
    "subclass": Child(),
    "namesake in a script": namesake(EASE, "EASE", "__main__"),
    "namesake of the file": namesake(EASE, "ease", "__main__"),
    "namesake in the module": namesake(EASE, "EASE", "recsys_ae.models.ease"),
    "in a module of that name": namesake(Own, "Mine", "recsys_ae.models.mine"),
    "in the name of another": namesake(Own, "Popularity", "recsys_ae.models.popularity"),
}


@pytest.mark.parametrize("kind", OWN)
def test_an_own_model_is_refused_before_anything_is_written(kind: str, tmp_path: Path) -> None:
    model = fitted(OWN[kind])
    with pytest.raises(ArtefactError, match="is not registered, so a saved model could not be loaded again") as caught:
        model.save(tmp_path / "home" / "model")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home").exists()
    assert model.score(training_data().matrix).shape == (60, 32)


def test_an_own_encoder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    encoder = FeatureEncoder(OwnEncoder(epochs=1, latent=2)).fit(features_for("vanilla"), run=CPU)
    with pytest.raises(ArtefactError, match="OwnEncoder is not registered"):
        encoder.save(tmp_path / "home" / "encoder")
    assert not (tmp_path / "home").exists()


def test_a_blend_with_an_own_member_is_refused(tmp_path: Path) -> None:
    popular = fitted(Popularity())
    with pytest.raises(ConfigError, match="there is no model 'Own'"):
        blend([fitted(Own()), popular])
    with pytest.raises(ConfigError, match="there is no model 'Own'"):
        Blend(members=(text_of(Own()), "popularity"))


def test_a_blend_whose_member_has_the_name_of_a_registered_model_is_refused(tmp_path: Path) -> None:
    """The registered model of that name would be loaded in its place."""

    class OtherNetwork(PopularityNetwork):
        pass

    class Builder:
        def build(self, shape: Shape) -> PopularityNetwork:
            return OtherNetwork(shape)

    own = dataclasses.dataclass(frozen=True, kw_only=True)(
        type("popularity", (Builder, Popularity), {"__module__": "__main__"})
    )
    mixed = blend([fitted(own()), fitted(EASE())])
    with pytest.raises(ArtefactError, match="the registered blend builds another network"):
        mixed.save(tmp_path / "home" / "mixed")
    assert not (tmp_path / "home").exists()


def test_a_network_that_load_could_not_fill_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    changes: tuple[Callable[[Any], object], ...] = (
        lambda n: n.register_buffer("more", n.counts),
        lambda n: setattr(n, "counts", n.counts[:-1]),
        lambda n: setattr(n, "counts", n.counts.double()),
        lambda n: n.counts.fill_(float("nan")),
        lambda n: setattr(n, "part", PopularityNetwork(Shape(60, 32))),
        lambda n: n.counts.div_(0),
    )
    for change in changes:
        model = fitted(Popularity())
        change(model.network)
        with pytest.raises(ArtefactError, match="because the model could not be loaded again: ") as caught:
            model.save(tmp_path / "home" / "model")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "home").exists()


def test_a_check_before_the_save_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model = fitted(MultVAE(epochs=1, latent=2, hidden=(4,)))
    network, scores = model.network, model.score(training_data().matrix)
    parameters = {name: parameter.data_ptr() for name, parameter in network.named_parameters()}
    model.save(tmp_path / "model")
    assert model.network is network
    assert {name: parameter.data_ptr() for name, parameter in network.named_parameters()} == parameters
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert (model.score(training_data().matrix) == scores).all()


def test_no_module_that_a_file_names_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(Popularity()).save(tmp_path / "model")
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    from tests.storage.mutated import seal

    for name in ("trap", "trap:Spec", "..trap", "recsys_ae.models.trap", "_implicit", "__init__", "blend.py", "/trap"):
        config = json.loads((tmp_path / "model" / "config.json").read_text())
        for changes in ({"model": name}, {"model": name, "packages": {name: "trap"}}, {"packages": {name: "trap"}},
                        {"model": "blend", "spec": {"members": [name, "popularity"]}}):  # fmt: skip
            seal(tmp_path / "model", {**config, **changes})
            with pytest.raises(ArtefactError):
                Recommender.load(tmp_path / "model")
        seal(tmp_path / "model", config)
    assert "trap" not in sys.modules


def test_an_encoder_and_a_recommender_do_not_share_their_registry(tmp_path: Path) -> None:
    fitted(Popularity()).save(tmp_path / "model")
    with pytest.raises(ArtefactError, match="is not a saved FeatureEncoder; load it with Recommender"):
        FeatureEncoder.load(tmp_path / "model")


def test_networks_of_pytorch_do_not_count(tmp_path: Path) -> None:
    """Whether a part of PyTorch is another class does not matter: it has the same tensors."""
    encoder = FeatureEncoder(Vanilla(epochs=1, latent=2)).fit(features_for("vanilla"), run=CPU)
    encoder.network.spare = nn.Identity()  # type: ignore[assignment]
    encoder.save(tmp_path / "encoder")
    shape = FeatureShape(1, 12, ())
    assert type(Vanilla().build(shape)) is type(FeatureEncoder.load(tmp_path / "encoder").network)
