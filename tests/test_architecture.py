"""Architecture: allowed imports between rooms, and homes of heavy packages. ARCHITECTURE.md names the floors."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import import_graph
from tests.import_graph import MODULES, ROOT, circles, files_needed_by, floors, imports, names_imported, room_of

HOMES = {
    "click": {"cli"},
    "rich": {"cli"},
    "mlflow": {"tracking", "serving.pyfunc"},
    "matplotlib": {"tracking.loss_curve", "report", "features.study.report"},
    "jinja2": {"report"},
    "umap": {"features.study.umap"},
    "safetensors": {"storage.tensors"},
    "pooch": {"data.download"},
    "pyarrow": {"data", "cli.table_writer"},
    "implicit": {"models"},
    "sklearn": {"features.data.texts", "features.analysis.classifiers"},
    "PIL": {"features.data.images"},
}
# Files of the library that a model needs: its own, and those that it imports at the top level, directly or not.
MOST_FILES = {"popularity": 13, "ease": 15, "mult_vae": 30}
ROOMS = import_graph.rooms()
LIBRARY = [module for module in MODULES if module.split(".")[0] == "recsys_ae"]
COMMANDS = [module for module in MODULES if module.split(".")[0] == "recsys_ae_cli"]


def page_floors() -> dict[str, int]:
    """Return each room's floor, read from the list ``floor  rooms  remark`` of ARCHITECTURE.md."""
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    lines = re.findall(r"^    (\d+)  ([\w.]+(?:, [\w.]+)*)", page, re.MULTILINE)
    return {room: int(floor) for floor, rooms in lines for room in rooms.split(", ")}


FLOORS = page_floors()


def place_of(module: str) -> str:
    """Return a module's place: ``nn.rows`` in the library, ``cli.main`` among the commands."""
    return module.removeprefix("recsys_ae.").replace("recsys_ae_cli", "cli")


def lives_in(module: str, homes: set[str]) -> bool:
    return any(f"{place_of(module)}.".startswith(f"{home}.") for home in homes)


def test_every_room_has_a_floor() -> None:
    assert set(ROOMS) | {"tests"} == set(FLOORS)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_rooms_on_lower_floors(room: str) -> None:
    wrong = {
        f"{module} imports {imported}"
        for module in MODULES
        if room_of(module) == room
        for imported in imports(module)
        if (below := room_of(imported)) not in (room, None) and FLOORS[str(below)] >= FLOORS[room]
    }
    assert not wrong


def test_the_floors_that_follow_from_the_imports_fit_those_of_the_page() -> None:
    derived = floors(ROOMS)
    assert {room: floor for room, floor in derived.items() if floor > FLOORS[room]} == {}


def test_rooms_import_each_other_in_one_direction_only() -> None:
    assert circles(ROOMS) == []


def test_files_import_each_other_in_one_direction_only() -> None:
    assert circles({module: imports(module) for module in MODULES}) == []


def test_nothing_imports_the_experiments_and_the_tests() -> None:
    assert not [room for room, below in ROOMS.items() if "experiments" in below]
    assert not [m for m in MODULES if any(name.split(".")[0] == "tests" for name in names_imported(m))]


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("experiments.")])
def test_experiments_import_the_library_only(module: str) -> None:
    assert not [name for name in names_imported(module) if name.split(".")[0] in ("cli", "recsys_ae_cli", "click")]


@pytest.mark.parametrize("name", MOST_FILES)
def test_a_model_needs_few_files(name: str) -> None:
    needed = files_needed_by(f"recsys_ae.models.{name}")
    assert len(needed) <= MOST_FILES[name], "\n".join(sorted(needed))


@pytest.mark.parametrize("home", ["recsys_ae.models", "recsys_ae.features.models"])
def test_models_never_import_each_other(home: str) -> None:
    models = {m for m in MODULES if m.startswith(f"{home}.") and not m.removeprefix(f"{home}.").startswith("_")}
    # The registry itself may be asked for a model by its name, which is how a blend finds its members.
    assert {model: imported for model in models if (imported := imports(model) & models)} == {}


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_knows_neither_commands_nor_streams(module: str) -> None:
    assert not {name.split(".")[0] for name in names_imported(module)} & {"cli", "recsys_ae_cli", "argparse", "click"}
    source = MODULES[module].read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])(print|input)\(", re.sub(r'""".*?"""', "", source, flags=re.DOTALL))


@pytest.mark.parametrize("module", [*LIBRARY, *COMMANDS])
def test_heavy_packages_stay_at_home(module: str) -> None:
    for name in names_imported(module):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or lives_in(module, homes), f"{module} imports {name}, which lives in {homes}"


@pytest.mark.parametrize("module", LIBRARY)
def test_heavy_packages_are_imported_when_used(module: str) -> None:
    assert not {name.split(".")[0] for name in names_imported(module, run_on_import=True)} & set(HOMES)


@pytest.mark.parametrize("module", LIBRARY)
def test_torch_is_not_needed_below_the_networks(module: str) -> None:
    if FLOORS.get(room_of(module) or "", FLOORS["nn"]) >= FLOORS["nn"]:
        return
    inside_functions = room_of(module) == "storage"
    names = names_imported(module, run_on_import=inside_functions)
    assert not [name for name in names if name.split(".")[0] == "torch"]


@pytest.mark.parametrize("module", [*LIBRARY, *COMMANDS])
def test_nothing_is_pickled(module: str) -> None:
    packages = {name.split(".")[0] for name in names_imported(module)}
    assert not packages & {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}
    text = MODULES[module].read_text(encoding="utf-8")
    assert not [call for call in ("allow_pickle=True", "torch.load(", "torch.save(") if call in text]


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_imports_what_is_heavy_when_it_runs(module: str) -> None:
    heavy = {"torch", "pandas", "numpy", "scipy", "rich", *HOMES} - {"click"}
    loaded = {name for file in files_needed_by(module) for name in names_imported(file, run_on_import=True)}
    assert not {name.split(".")[0] for name in loaded} & heavy


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
movies = Features.from_frame(pd.DataFrame(rng.normal(size=(50, 6))).reset_index(names="item"))
vectors = FeatureEncoder(Denoising(latent=4, epochs=2)).fit(movies).encode(movies)
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
