"""Networks of saved models are built with bounded work."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from recsys_ae import FeatureEncoder, Recommender, Run
from recsys_ae.errors import ArtefactError
from recsys_ae.nn import loading
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_encoder
from tests.models.blocks import holdout, small, training_data
from tests.single_thread import single_thread  # noqa: F401
from tests.storage.mutated import peak, seal


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home, data = tmp_path_factory.mktemp("saved"), training_data()
    for name in ("mult_vae", "recvae", "vasp", "macrid_vae", "bspm", "blend", "als", "hvamp", "item_knn"):
        spec = small(name, epochs=1)
        Recommender(spec).fit(data, valid=holdout(data), run=Run(device="cpu")).save(home / name)
    for name in ("deep", "convolutional", "masked", "recurrent", "adversarial", "sparse"):
        FeatureEncoder(small_encoder(name, epochs=1)).fit(features_for(name), run=Run(device="cpu")).save(home / name)
    return home


GREEDY: list[tuple[str, dict[str, Any]]] = [
    ("recvae", {"layers": 10**9}), ("vasp", {"encoder_layers": 10**9}), ("vasp", {"decoder_layers": 10**12}),
    ("masked", {"depth": 10**9}), ("deep", {"layers": 10**12, "hidden": []}), ("deep", {"hidden": [24] * 10**6}),
    ("mult_vae", {"hidden": [16] * 10**6}), ("mult_vae", {"latent": 10**12}), ("als", {"latent": 10**9}),
    ("macrid_vae", {"concepts": 10**15}), ("macrid_vae", {"hidden": [1] * 300_000}), ("hvamp", {"width": 10**12}),
    ("bspm", {"steps": 10**12}), ("bspm", {"latent": 10**18}), ("item_knn", {"neighbors": 10**18}),
    ("blend", {"members": ["popularity"] * 10**6}), ("blend", {"members": ["blend members=a/b", "ease"]}),
    ("blend", {"members": ["mult_dae hidden=" + "/".join(["9"] * 10**6), "ease"]}),
    ("blend", {"members": ["ease l2=" + "9" * 10**6, "popularity"]}), ("blend", {"weights": [1.0] * 10**6}),
    ("convolutional", {"channels": [1] * 10**6}), ("adversarial", {"critic": [16] * 10**6}),
    ("recurrent", {"hidden": 10**12}), ("sparse", {"latent": 10**30}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(GREEDY)), ids=lambda case: f"{GREEDY[case][0]}-{[*GREEDY[case][1]]}")
def test_a_spec_that_asks_for_more_than_the_file_holds_is_refused_at_once(
    case: int, folders: Path, tmp_path: Path
) -> None:
    name, spec = GREEDY[case]
    shutil.copytree(folders / name, tmp_path / name)
    config = json.loads((tmp_path / name / "config.json").read_text())
    seal(tmp_path / name, {**config, "spec": {**config["spec"], **spec}})
    load = FeatureEncoder.load if config["kind"] == "feature_encoder" else Recommender.load
    start, before = time.process_time(), peak()
    if name == "item_knn":  # no item has more neighbours than there are items
        load(tmp_path / name, device="cpu")
    else:
        with pytest.raises(ArtefactError) as caught:
            load(tmp_path / name, device="cpu")
        assert len(str(caught.value)) < 1000
    assert time.process_time() - start < 10
    assert peak() - before < 500


def test_the_shape_of_the_network_is_that_of_the_file(folders: Path, tmp_path: Path) -> None:
    for name in ("mult_vae", "bspm", "deep"):
        for shape in ([10**18, 32], [2**31, 32], [60, 10**9], [60, 32, []], [60, 12, [10**9, 10**9]], [True, 32]):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            shutil.copytree(folders / name, tmp_path / name)
            config = json.loads((tmp_path / name / "config.json").read_text())
            seal(tmp_path / name, {**config, "shape": shape})
            load = FeatureEncoder.load if config["kind"] == "feature_encoder" else Recommender.load
            with pytest.raises(ArtefactError):
                load(tmp_path / name, device="cpu")


def test_positions_in_tensors_are_within_bounds(folders: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    changes = {
        "bspm": [("network.indices", 32), ("network.indices", -1), ("network.indptr", 2**30), ("network.indptr", -1)],
        "item_knn": [("network.neighbors", 32), ("network.neighbors", -1)],
    }
    for name, places in changes.items():
        for tensor, value in places:
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            shutil.copytree(folders / name, tmp_path / name)
            state = load_file(tmp_path / name / "state.safetensors")
            state[tensor].view(-1)[1] = value
            save_file(state, tmp_path / name / "state.safetensors")
            seal(tmp_path / name)
            with pytest.raises(ArtefactError, match=r"the graph|a neighbour is not"):
                Recommender.load(tmp_path / name, device="cpu")


def test_the_limit_counts_what_this_thread_builds_and_is_removed() -> None:
    with pytest.raises(ValueError, match="far more than the 1 saved tensors"), loading.at_most(1):
        nn.Sequential(*(nn.Linear(1, 1, device="meta") for _ in range(10**9)))
    nn.Sequential(*(nn.Linear(1, 1) for _ in range(2000)))
    with loading.at_most(10**6):
        nn.Sequential(*(nn.Linear(1, 1) for _ in range(2000)))


def test_a_tensor_file_larger_than_the_memory_is_refused_unread(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae.nn import saved

    monkeypatch.setattr(saved, "free_memory", lambda _: 100)
    with pytest.raises(ArtefactError, match=r"state.safetensors needs 0.0 GiB of memory, and 0.0 GiB are free; end"):
        Recommender.load(folders / "als", device="cpu")
    monkeypatch.setattr(saved, "free_memory", lambda _: None)
    Recommender.load(folders / "als", device="cpu")


@pytest.mark.parametrize(
    ("form", "width", "fits"),
    [([], 7, True), ([2, 3], 6, True), ([1, 2, 3], 6, True), ([6], 6, False), ([2, 3], 7, False), ([1.0, 6], 6, False),
     ([-2, -3], 6, False), (None, 6, False), ("ab", 6, False), ([[2], 3], 6, False), ([True, 6], 6, False)],
)  # fmt: skip
def test_forms(form: Any, width: int, fits: bool) -> None:
    if fits:
        assert loading.form_of(form, width) == tuple(form)
    else:
        with pytest.raises(ValueError, match="form"):
            loading.form_of(form, width)


def test_tensors_are_loaded_without_a_copy_and_with_their_type() -> None:
    source, target = nn.Linear(2, 3), nn.Linear(2, 3, device="meta")
    state = loading.tensors("part", source)
    loading.fill("part", target, state)
    assert target.weight.data_ptr() == source.weight.data_ptr()
    with pytest.raises(ValueError, match=r"the tensor part.weight is of type torch.float64, not torch.float32"):
        loading.fill("part", nn.Linear(2, 3, device="meta"), {name: value.double() for name, value in state.items()})
    loading.refuse_infinite({"a": torch.tensor([1, 2])})
    with pytest.raises(ValueError, match="the tensor a has numbers that are not finite"):
        loading.refuse_infinite({"a": torch.tensor([1.0, float("inf")])})
