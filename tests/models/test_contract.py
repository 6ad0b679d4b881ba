"""Contract tests of all models, on data with a known answer."""

import ast
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

import recsys_ae
from recsys_ae import models
from recsys_ae.errors import DataError
from recsys_ae.metrics import DEFAULT, ERRORS
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import describe
from recsys_ae.testing import ModelContract
from recsys_ae.testing.blocks import training_data, unknown_users
from recsys_ae.testing.fits import fit_to
from recsys_ae.tracking import NoTracker
from tests.models.blocks import small


class Notebook(NoTracker):
    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.measured: list[tuple[int | None, dict[str, float]]] = []

    def parameters(self, values: Mapping[str, Any]) -> None:
        self.chosen |= values

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.measured.append((step, dict(values)))


class OurContract(ModelContract):
    """Further requirements on the models of this package."""

    def test_nothing_dense_of_the_size_users_by_items_is_made(self) -> None:
        if self.spec.name() == "blend":
            pytest.skip("its members are tested alone")
        super().test_nothing_dense_of_the_size_users_by_items_is_made()

    def test_the_usual_metrics_are_measured_in_each_epoch(self) -> None:
        usual = ERRORS if self.rated() else DEFAULT
        for measured in self.fitted().history:
            assert {f"valid/{metric}" for metric in usual} <= set(measured)
            assert all(isinstance(value, float) for value in measured.values())

    def test_hyper_parameters_and_metrics_go_to_the_tracker(self) -> None:
        notebook, spec = Notebook(), self.with_values(epochs=2)
        run = Run(device="cpu", seed=5, tracker=notebook)
        model = fit_to(spec, self.data(), valid=self.held_out(), run=run)
        assert [step for step, _ in notebook.measured] == list(range(1, len(model.history) + 1))
        assert [values for _, values in notebook.measured] == model.history
        assert notebook.chosen["model"] == spec.name()
        assert notebook.chosen["seed"] == 5
        for hyper in describe(type(spec)):
            value = getattr(spec, hyper.name)
            assert notebook.chosen[hyper.name] == (list(value) if isinstance(value, tuple) else value)

    def test_histories_that_are_no_sparse_matrix_are_refused(self) -> None:
        for wrong in (np.ones((2, 32)), [[0, 1]], pd.DataFrame({"user": [1]}), None):
            with pytest.raises(
                DataError, match=rf"histories must be a sparse \(n, 32\) matrix, not {type(wrong).__name__}"
            ):
                self.fitted().recommend(wrong)  # type: ignore[arg-type]

    def test_the_global_generators_stay_untouched_by_saving_and_loading(self, tmp_path: Path) -> None:
        def states() -> list[Any]:
            return [torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()]  # noqa: NPY002

        model, before = self.fitted(), states()
        model.save(tmp_path / "model")
        Recommender.load(tmp_path / "model", device="cpu").score(unknown_users())
        assert states() == before

    @pytest.mark.gpu
    def test_a_model_scores_alike_on_the_gpu(self, tmp_path: Path) -> None:
        model = self.fitted()
        model.save(tmp_path / "model")
        on_gpu = Recommender.load(tmp_path / "model", device="cuda")
        assert {tensor.device.type for tensor in on_gpu.network.state_dict().values()} == {"cuda"}
        np.testing.assert_allclose(on_gpu.score(unknown_users()), model.score(unknown_users()), rtol=1e-3, atol=1e-4)
        trained = fit_to(model.spec, self.data(), run=Run(device="cuda", precision="fp32"))
        assert trained.recommend(unknown_users(), k=3).items.shape == (6, 3)


for _name in models.registry.built_in():
    _test = f"Test{models.spec_class(_name).__name__}"
    globals()[_test] = type(_test, (OurContract,), {"spec": small(_name), "personal": _name != "popularity"})


def test_popularity_ranks_by_count() -> None:
    counts = np.asarray(training_data().matrix.sum(axis=0)).ravel()
    model = fit_to(small("popularity"), training_data(), run=Run(device="cpu"))
    items, scores = model.recommend(csr_matrix(unknown_users()), k=32, exclude_seen=False)
    assert (items == np.argsort(-counts, kind="stable")).all()
    assert (scores == np.sort(counts)[::-1]).all()


MODULES_THAT_RUN_CODE = {"pickle", "cPickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}
CALLS_THAT_RUN_CODE = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "eval",
    "exec",
    "pd.read_pickle",
    "pandas.read_pickle",
}


def runs_code(source: str) -> list[str]:
    """Return the imports and calls of a module that can run code of a file."""
    risks = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            risks += [module for module in modules if module.partition(".")[0] in MODULES_THAT_RUN_CODE]
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            allowed = [ast.unparse(word.value) for word in node.keywords if word.arg == "allow_pickle"]
            unsafe = allowed != ["False"] if function in ("np.load", "numpy.load") else allowed not in ([], ["False"])
            if unsafe or function in CALLS_THAT_RUN_CODE or function.endswith(".to_pickle"):
                risks.append(ast.unparse(node))
    return risks


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "torch.load(path)", "np.load(path)", "eval(text)", "exec(text)",
        "np.load(path, allow_pickle=True)", "np.save(path, array, allow_pickle=maybe)", "pd.read_pickle(path)",
    ],
)  # fmt: skip
def test_f09_what_can_run_code_is_recognised(source: str) -> None:
    assert runs_code(source)


@pytest.mark.parametrize("source", ["network.eval()", "'a pickle file'", "np.load(path, allow_pickle=False)"])
def test_f09_harmless_code_is_not(source: str) -> None:
    assert not runs_code(source)


def test_f09_nothing_is_pickled() -> None:
    """No model file of ours can run code, and none breaks when PyTorch changes what it unpickles."""
    library = Path(recsys_ae.__file__).parent
    paths = [*library.rglob("*.py"), *(library.parent / "cli").rglob("*.py")]
    risks = {path.name: runs_code(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: calls for name, calls in risks.items() if calls} == {}
