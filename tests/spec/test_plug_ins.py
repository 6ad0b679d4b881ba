"""Plug-ins: models of other packages, used from Python."""

from pathlib import Path

import pytest

from tests.plug_in import MODULE, install, run

BY_CLASS = """
from my_file import MySpec
from recsys_ae import Recommender
from recsys_ae.testing.blocks import training_data, unknown_users

data = training_data()
model = Recommender(MySpec()).fit(data)
assert model.recommend(unknown_users(), k=3).items.shape == (6, 3)
assert (model.spec.l2, model.metadata["model"]) == (data.nnz / 32, "MySpec"), model
model.save("model")
"""
BY_NAME = """
from recsys_ae import Recommender, models
from recsys_ae.errors import ConfigError
from recsys_ae.models import Blend
from recsys_ae.testing.blocks import training_data, unknown_users

MySpec = models.spec_class("my-model")
assert MySpec.name() == "my_model"
assert "my_model" in models.names()
data = training_data()
model = Recommender(MySpec(l2=2)).fit(data)
assert "rules" not in model.metadata
model.save("model")
again = Recommender.load("model")
assert again.spec == model.spec
assert (again.score(unknown_users()) == model.score(unknown_users())).all()
blend = Recommender(Blend(members=("my-model", "ease l2=5"), weights=(1, 1))).fit(data)
assert blend.spec.members == (f"my_model l2={data.nnz / 32:g}", "ease l2=5"), blend.spec
try:
    models.spec_class("my-modal")
except ConfigError as error:
    print(error)
"""
CONTRACT = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from my_plugin import MySpec
from recsys_ae.testing import ModelContract
from tests.single_thread import single_thread

class TestMyModel(ModelContract):
    spec = MySpec()
"""


def test_a_class_of_an_own_file_fits_and_recommends_but_is_not_saved(tmp_path: Path) -> None:
    (tmp_path / "my_file.py").write_text(MODULE)
    outcome = run(["-c", BY_CLASS], tmp_path, tmp_path)
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1] == (
        "recsys_ae.errors.ArtefactError: MySpec is not registered, so a saved model could not be loaded again: install "
        'it with a package whose pyproject.toml has [project.entry-points."recsys_ae.models"] with a line such as '
        'myspec = "my_file:MySpec" (a name that no other model has)'
    )
    assert not (tmp_path / "model").exists()


def test_a_plug_in_is_found_by_name_saved_loaded_and_blended(tmp_path: Path) -> None:
    outcome = run(["-c", BY_NAME], install(tmp_path), tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("there is no model 'my-modal'; did you mean 'my_model'? known: als, ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:MySpec", "cannot be imported from nowhere:MySpec: No module named 'nowhere'"),
        ("my_plugin:MyModel", "is not a class of hyper-parameters: my_plugin:MyModel must be a dataclass with build()"),
    ],
)
def test_a_broken_plug_in_is_an_error_only_where_it_is_used(value: str, said: str, tmp_path: Path) -> None:
    site = install(tmp_path, entries=f"my-model = {value}")
    code = "from recsys_ae import models\nmodels.names()\nmodels.summary('my_model')\nmodels.spec_class('my-model')"
    outcome = run(["-c", code], site, tmp_path)
    expected = f"recsys_ae.errors.ConfigError: the model 'my-model' of the package 'my-plugin' {said}"
    assert outcome.stderr.splitlines()[-1] == expected


def test_a_file_that_names_a_module_does_not_have_it_imported(tmp_path: Path) -> None:
    code = BY_NAME.partition("blend =")[0] + (
        "import json, pathlib\nfrom recsys_ae.storage import artefact\n"
        "path = pathlib.Path('model/config.json')\nconfig = json.loads(path.read_text())\n"
        "config |= {'model': 'antigravity', 'packages': {'antigravity': 'antigravity'}}\n"
        "config['checksums'][artefact.CONFIG] = artefact._checksum_of(config)\npath.write_text(json.dumps(config))\n"
        "try:\n    Recommender.load('model')\nexcept Exception as error:\n    print(error)\n"
        "import sys\nassert 'antigravity' not in sys.modules\n"
    )
    outcome = run(["-c", code], install(tmp_path), tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    missing = "model was fitted with the model 'antigravity' of the package 'antigravity', which is not installed"
    assert outcome.stdout.strip().endswith(missing)


def test_a_plug_in_passes_the_contract(tmp_path: Path) -> None:
    (tmp_path / "test_my_model.py").write_text(CONTRACT)
    outcome = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_model.py"], install(tmp_path), tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    assert "2 skipped" in outcome.stdout  # it draws nothing and has no checkpoint


ENCODER = """
from dataclasses import dataclass

from recsys_ae.features.models import PCA


@dataclass(frozen=True, kw_only=True)
class MyCode(PCA):
    pass
"""
ENCODED = """
import numpy as np
import pandas as pd
from recsys_ae import FeatureEncoder, Features
from recsys_ae.features import models

frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 6))).reset_index(names="item")
features = Features.from_frame(frame)
model = FeatureEncoder(models.spec_class("my-code")(latent=2)).fit(features)
assert model.spec.name() == "my_code"
model.save("encoder")
again = FeatureEncoder.load("encoder").encode(features)
assert (np.asarray(again.matrix) == np.asarray(model.encode(features).matrix)).all()
"""


def test_an_autoencoder_of_another_package_is_found_by_name_saved_and_loaded(tmp_path: Path) -> None:
    entry, group = "my-code = my_plugin:MyCode", "recsys_ae.features.models"
    outcome = run(["-c", ENCODED], install(tmp_path, entries=entry, group=group, module=ENCODER), tmp_path)
    assert outcome.returncode == 0, outcome.stderr
