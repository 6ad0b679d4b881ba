"""Registry of the models: names, classes and summaries of the files of a folder."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from recsys_ae import models
from recsys_ae.errors import ConfigError
from recsys_ae.nn.model import Spec
from recsys_ae.spec.hyper import build, describe, flatten
from recsys_ae.testing.ranges import check_range

FOLDER = Path(models.__file__).parent


def test_every_file_of_the_folder_is_a_model() -> None:
    assert models.names() == tuple(sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")))
    assert {"ease", "mult_dae", "mult_vae", "popularity"} <= set(models.names())


@pytest.mark.parametrize("name", models.names())
def test_every_model_has_a_class_of_hyper_parameters_that_knows_its_name(name: str) -> None:
    cls = models.spec_class(name)
    assert issubclass(cls, Spec)
    assert cls.name() == name
    assert models.spec_class(name.replace("_", "-")) is cls
    assert getattr(models, cls.__name__) is cls
    assert cls() == build(cls, json.loads(json.dumps(flatten(cls()))))


@pytest.mark.parametrize("name", models.names())
def test_every_model_and_every_hyper_parameter_has_a_description(name: str) -> None:
    assert len(models.summary(name).splitlines()[0]) > 20
    for hyper in describe(models.spec_class(name)):
        assert len(hyper.help) > 10, hyper.name
        check_range(hyper, [other.name for other in describe(models.spec_class(name))])


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"there is no model 'mult-vea'; did you mean 'mult_vae'\? known: .*\bease, .*mult_d"
    ):
        models.spec_class("mult-vea")
    with pytest.raises(ConfigError, match=r"there is no model '\.\./os'; known: .*\bease"):
        models.spec_class("../os")


def test_a_class_has_one_name_and_a_module_keeps_its_own() -> None:
    for wrong in ("Ease", "multvae", "MULTVAE", "nothing", "mult_vae_"):
        with pytest.raises(AttributeError, match=f"has no attribute '{wrong}'"):
            getattr(models, wrong)
    from recsys_ae.models import ease, popularity

    assert isinstance(ease, ModuleType)
    assert isinstance(popularity, ModuleType)


@pytest.mark.parametrize("name", models.names())
def test_every_model_says_when_to_use_it(name: str) -> None:
    usage = models.registry.usage(name)
    assert usage.endswith(".")
    assert usage[0].islower()
    assert 20 < len(usage) < 100
    assert not {"`", "\n"} & set(usage)
