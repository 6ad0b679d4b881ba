"""Who may import whom, and where heavy packages live."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {
    "errors": -1, "hyper": 0, "whole_files": 0,
    "hyper_text": 1, "registry": 1, "datasets": 1, "tracking": 1, "metrics": 1,
    "nn": 2,
    "recommenders": 3,
    "autoencoders": 3,
    "artefact": 4,
    "requirements": 4,
    "facts": 4,
    "recommendations": 4,
    "cold_start": 4,
    "recommender_state": 4.5,
    "recommender": 5,
    "feature_encoder": 5,
    "blending": 6,
    "evaluation": 6,
    "analysis": 6,
    "study": 7,
}  # fmt: skip
HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "mlflow": {"tracking", "cli/doctor"},
    "matplotlib": {"tracking", "study/report"},
    "jinja2": {"study/report"},
    "umap": {"study/umap_map"},
    "safetensors": {"artefact"},
    "pooch": {"datasets/download"},
    "pyarrow": {"datasets", "cli"},
    "implicit": {"recommenders"},
    "sklearn": {"datasets/texts", "analysis/classifiers"},
    "PIL": {"datasets/images"},
    "torch": {
        "nn", "recommenders", "autoencoders", "artefact", "facts", "cold_start", "recommender", "recommender_state",
        "feature_encoder", "evaluation",
        "analysis", "cli",
    },
}  # fmt: skip
LIBRARY = sorted((ROOT / "recsys_ae").rglob("*.py"))
COMMANDS = sorted((ROOT / "cli").rglob("*.py"))


def room(path: Path) -> str:
    """Return a file's place: ``nn/rows`` in the library, ``cli/fit`` among the commands."""
    plain = path.relative_to(ROOT).with_suffix("").as_posix()
    return plain.removeprefix("recsys_ae/")


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere, lazily or for type checkers too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            found |= {home} | {f"{home}.{alias.name}" for alias in node.names}
    return found


def layer_of(dotted: str) -> int | None:
    parts = dotted.split(".")
    return LAYERS.get(parts[1]) if parts[0] == "recsys_ae" and len(parts) > 1 else None


@pytest.mark.parametrize(
    "path", [p for p in LIBRARY if p.parent != ROOT / "recsys_ae" or p.stem != "__init__"], ids=room
)
def test_a_room_imports_only_lower_ones_and_itself(path: Path) -> None:
    own = room(path).split("/")[0]
    for dotted in imported(path):
        layer = layer_of(dotted)
        if layer is not None and dotted.split(".")[1] != own:
            assert layer < LAYERS[own], f"{room(path)} (layer {LAYERS[own]}) imports {dotted} (layer {layer})"


@pytest.mark.parametrize(
    "path",
    sorted(path for room in ("recommenders", "autoencoders") for path in (ROOT / "recsys_ae" / room).glob("*.py")),
    ids=room,
)
def test_models_never_import_each_other(path: Path) -> None:
    if path.stem == "__init__":
        pytest.skip("the registry names the models for type checkers")
    # The registry itself may be asked for a model by its name, which is how a blend finds its members.
    homes = ("recsys_ae.models.", "recsys_ae.features.models.")
    assert not [name for name in imported(path) if name.startswith(homes)]


@pytest.mark.parametrize("path", LIBRARY, ids=room)
def test_the_library_knows_neither_commands_nor_streams(path: Path) -> None:
    names = imported(path)
    assert not [name for name in names if name.split(".")[0] in ("cli", "recsys_ae_cli", "argparse")]
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("print", "input")]


@pytest.mark.parametrize("path", [*LIBRARY, *COMMANDS], ids=room)
def test_heavy_packages_stay_at_home(path: Path) -> None:
    for name in imported(path):
        homes = HOMES.get(name.split(".")[0])
        here = room(path)
        at_home = homes is None or any(here == home or here.startswith(f"{home}/") for home in homes)
        assert at_home, f"{here} imports {name}, which lives in {homes}"


@pytest.mark.parametrize("path", [*LIBRARY, *COMMANDS], ids=room)
def test_nothing_is_pickled(path: Path) -> None:
    names = imported(path)
    assert not [n for n in names if n.split(".")[0] in ("pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal")]
    text = path.read_text(encoding="utf-8")
    assert "allow_pickle=True" not in text
    assert "torch.load(" not in text
    assert "torch.save(" not in text


@pytest.mark.parametrize("path", COMMANDS, ids=room)
def test_commands_import_the_library_inside_functions_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    for node in top:
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        light = module.startswith(("recsys_ae.errors", "recsys_ae.spec.hyper"))
        assert light or module.split(".")[0] not in (
            "recsys_ae",
            "torch",
            "pandas",
            "numpy",
            "scipy",
            "mlflow",
            "pyarrow",
        )


def test_every_room_has_a_layer() -> None:
    rooms = {room(path).split("/")[0] for path in LIBRARY} - {"__init__"}
    assert rooms == set(LAYERS)


@pytest.mark.parametrize("statement", ["import recsys_ae", "from recsys_ae import models; models.names()"])
def test_importing_stays_light(statement: str) -> None:
    heavy = ["torch", "pandas", "numpy", "scipy", "mlflow", "implicit", "pyarrow", "matplotlib", "click", "rich"]
    code = f"{statement}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


BARE = """
import sys

ABSENT = {"pyarrow", "safetensors", "click", "rich", "pooch", "implicit", "mlflow", "matplotlib", "sklearn", "PIL"}
ABSENT |= {"jinja2", "umap"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np
import pandas as pd
from recsys_ae import FeatureEncoder, Features, Interactions, Recommender, evaluate, split_users
from recsys_ae.errors import MissingPackageError
from recsys_ae.features.models import Denoising
from recsys_ae.models import MultVAE

rng = np.random.default_rng(0)
frame = pd.DataFrame({"user": rng.integers(0, 60, 900), "item": rng.integers(0, 40, 900)})
data = Interactions.from_frame(frame, duplicates="last")
split = split_users(data, n_valid=10, n_test=10, seed=0)
model = Recommender(MultVAE(latent=4, hidden=(8,), epochs=2)).fit(split.train, valid=split.valid)
print(evaluate(model, split.test))
items, scores = model.recommend(split.test.histories, k=3)
assert items.shape == (10, 3)
films = Features.from_frame(pd.DataFrame(rng.normal(size=(50, 6))).reset_index(names="item"))
vectors = FeatureEncoder(Denoising(latent=4, epochs=2)).fit(films).encode(films)
assert vectors.matrix.shape == (50, 4)
try:
    model.save("never-written")
except MissingPackageError as error:
    print(error)
"""


def test_the_library_works_with_torch_numpy_scipy_and_pandas_alone(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    assert "safetensors" in result.stdout
    assert not list(tmp_path.iterdir())
