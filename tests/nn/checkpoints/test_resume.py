"""Interrupted trainings go on and end with the same weights, for all optimizers, phases and parts of a fit."""

import dataclasses
import signal
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from recsys_ae.errors import ArtefactError, ConfigError
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.models.deep import Deep
from recsys_ae.models import AutoRec, Blend, MultVAE
from recsys_ae.nn.checkpoints.session import Checkpoints
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.optimizers import BatchOptimizer, Optimizer
from recsys_ae.nn.training.updates import Updates
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import hp
from recsys_ae.testing.blocks import holdout, training_data
from recsys_ae.testing.fits import fit_to
from recsys_ae.testing.resuming import Interrupter, assert_equal
from tests.features.models.curves import table
from tests.nn.small import Tiny, TinyNetwork, matrix, rows_of

DATA = matrix(11, 6, density=0.6)
NAMES = sorted({*get_args(Optimizer), *get_args(BatchOptimizer)})
Validate = Callable[[], dict[str, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Full(Tiny):
    """The optimizers of large batches."""

    optimizer: BatchOptimizer = hp("adam", "optimizer")  # type: ignore[assignment]


class _Dropping(TinyNetwork):
    """Network with a layer that draws from PyTorch's own generator."""

    def __init__(self, spec: Tiny, shape: Shape) -> None:
        super().__init__(spec, shape)
        self.drop = torch.nn.Dropout(0.3)

    def encode(self, x: Any) -> torch.Tensor:
        codes: torch.Tensor = self.drop(super().encode(x))
        return codes


def session_of(folder: Path, **settings: Any) -> Checkpoints:
    settings = {"minutes": 0, **settings}
    return Checkpoints(Checkpoint(path=folder / "checkpoint", **settings), {"spec": {}}, lambda: None)


def learn(
    spec: Tiny, folder: Path | None = None, validate: Validate | None = None, *, build: Any = TinyNetwork, **run: Any
) -> TinyNetwork:
    """Train a small network, with checkpoints in a folder."""
    with seeded(1):
        network: TinyNetwork = build(spec, Shape(*DATA.shape))
    circumstances = Run(**{"device": "cpu", **run})
    with circumstances.settings():
        if folder is None:
            network.learn(rows_of(DATA), circumstances, validate)
        else:
            with session_of(folder) as checkpoints:
                network.learn(rows_of(DATA), dataclasses.replace(circumstances, checkpoints=checkpoints), validate)
    return network


def assert_same(network: TinyNetwork, expected: TinyNetwork) -> None:
    for name, tensor in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", NAMES)
def test_every_optimizer_and_precision_goes_on(tmp_path: Path, optimizer: Any, precision: Any) -> None:
    kind, noise = (Tiny, 0.1) if optimizer in get_args(Optimizer) else (Full, 0.0)
    spec = kind(epochs=5, optimizer=optimizer, lr=0.05, l2=0.01, noise=noise, clip_norm=3.0, lr_schedule="linear")
    undisturbed = learn(spec, precision=precision)
    for updates in (1, 2, 5):
        with pytest.raises(KeyboardInterrupt):
            learn(spec, tmp_path, progress=Interrupter(updates), precision=precision)
    assert_same(learn(spec, tmp_path, precision=precision), undisturbed)


def test_layers_that_draw_from_the_generator_of_pytorch_go_on(tmp_path: Path) -> None:
    undisturbed = learn(Tiny(epochs=4), build=_Dropping)
    with pytest.raises(KeyboardInterrupt):
        learn(Tiny(epochs=4), tmp_path, progress=Interrupter(4), build=_Dropping)
    assert_same(learn(Tiny(epochs=4), tmp_path, build=_Dropping), undisturbed)


def scripted(values: Mapping[int, float], stop_at: int = 0) -> Validate:
    """Return a validation whose value depends on the epoch; it is interrupted in one of the calls."""
    calls = iter(range(1, 100))

    def validate() -> dict[str, float]:
        call = next(calls)
        if call == stop_at:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the validation was not interrupted at once")
        return {"ndcg@100": values[call]}

    return validate


def test_a_validation_is_interrupted_at_once_and_made_again(tmp_path: Path) -> None:
    values = {1: 0.1, 2: 0.5, 3: 0.2, 4: 0.3, 5: 0.3}
    spec = Tiny(epochs=9, patience=3, ema_decay=0.8)
    undisturbed = learn(spec, validate=scripted(values))
    with pytest.raises(KeyboardInterrupt):
        learn(spec, tmp_path, scripted(values, stop_at=3))
    resumed = learn(spec, tmp_path, scripted({call - 2: value for call, value in values.items()}))
    assert_same(resumed, undisturbed)


def test_a_signal_at_the_end_of_a_training_loses_nothing(tmp_path: Path) -> None:
    """The last update is done, but the weights are not final when the signal arrives."""
    spec = Tiny(epochs=2)
    undisturbed = learn(spec)

    class Last(TinyNetwork):
        def finalize(self, rows: Any) -> None:
            signal.raise_signal(signal.SIGTERM)

    received: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with session_of(tmp_path) as checkpoints, seeded(1):
            run = Run(device="cpu", checkpoints=checkpoints)
            Last(spec, Shape(*DATA.shape)).learn(rows_of(DATA), run)
            assert received == [signal.SIGTERM]
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, former)

    class Never(TinyNetwork):
        def loss(self, x: Any, step: Any) -> Any:
            pytest.fail("the training was finished")

    assert_same(learn(spec, tmp_path, build=Never), undisturbed)


def test_a_blend_goes_on_with_the_member_that_was_trained(tmp_path: Path) -> None:
    members = (
        "mult_vae epochs=4 batch_size=20 hidden=8 latent=4",
        "ease",
        "mult_dae epochs=3 batch_size=20 hidden=8 latent=4",
    )
    data = training_data()
    valid, spec = holdout(data), Blend(members=members)
    undisturbed = fit_to(spec, data, valid=valid, run=Run(device="cpu"))
    for updates in (5, 9, 2):  # in the first member, in the last one twice
        with pytest.raises(KeyboardInterrupt):
            fit_to(
                spec, data, valid=valid, checkpoint=Checkpoint(path=tmp_path / "c", minutes=0),
                run=Run(device="cpu", progress=Interrupter(updates)),
            )  # fmt: skip
    assert_equal(fit_to(spec, data, valid=valid, run=Run(device="cpu"), checkpoint=tmp_path / "c"), undisturbed)


@pytest.mark.parametrize("optimizer", ["lbfgs", "rprop"])
def test_autorec_goes_on_with_the_optimizers_of_full_batches(tmp_path: Path, optimizer: Any) -> None:
    spec = AutoRec(latent=4, epochs=8, batch_size=64, optimizer=optimizer, lr=0.5)
    data = training_data(rated=True)
    undisturbed = fit_to(spec, data, valid=holdout(data, rated=True), run=Run(device="cpu"))
    for updates in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            fit_to(
                spec, data, valid=holdout(data, rated=True), checkpoint=tmp_path / "c",
                run=Run(device="cpu", progress=Interrupter(updates)),
            )  # fmt: skip
    resumed = fit_to(spec, data, valid=holdout(data, rated=True), run=Run(device="cpu"), checkpoint=tmp_path / "c")
    for name, tensor in undisturbed.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


def test_layers_that_are_trained_one_by_one_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deep autoencoder trains each layer first, without reports of progress."""
    spec = Deep(hidden=(8, 6), latent=3, pretrain_epochs=3, epochs=3, batch_size=20)
    undisturbed = FeatureEncoder(spec).fit(table(), run=Run(device="cpu"))
    step = Updates.step
    done = [0]

    def counted(updates: Any, batch: Any) -> Any:
        losses = step(updates, batch)
        done[0] += 1
        if done[0] in (4, 14, 23, 31):  # in each of the three layers, and in the training of all
            signal.raise_signal(signal.SIGINT)
        return losses

    monkeypatch.setattr(Updates, "step", counted)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            FeatureEncoder(spec).fit(table(), run=Run(device="cpu"), checkpoint=tmp_path / "c")
    resumed = FeatureEncoder(spec).fit(table(), run=Run(device="cpu"), checkpoint=tmp_path / "c")
    assert done == [4 * 9]  # nothing is done twice
    for name, tensor in undisturbed.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


SPEC = MultVAE(latent=4, hidden=(8,), epochs=4, batch_size=20)


def interrupted(folder: Path, spec: Any = SPEC, **settings: Any) -> None:
    data = training_data()
    with pytest.raises(KeyboardInterrupt):
        fit_to(
            spec, data, valid=holdout(data), run=Run(device="cpu", threads=1, progress=Interrupter(2)),
            checkpoint=Checkpoint(path=folder, minutes=0, **settings),
        )  # fmt: skip


def again(folder: Path, spec: Any = SPEC, *, run: Run | None = None, **settings: Any) -> Recommender:
    data = training_data()
    run = run or Run(device="cpu", threads=1)
    return fit_to(spec, data, valid=holdout(data), run=run, checkpoint=Checkpoint(path=folder, **settings))


def test_another_fit_is_refused_with_the_differences(tmp_path: Path) -> None:
    interrupted(tmp_path / "c")
    spec = dataclasses.replace(SPEC, lr=0.5)
    with pytest.raises(ConfigError, match=r"belongs to another fit: lr = 0\.001, not 0\.5\. .*restart = True"):
        again(tmp_path / "c", spec)
    with pytest.raises(ConfigError, match=r"seed 0, not 3"):
        again(tmp_path / "c", run=Run(device="cpu", threads=1, seed=3))
    with pytest.raises(ConfigError, match=r"train fingerprint \w+, not \w+"):
        fit_to(SPEC, training_data(seed=1), run=Run(device="cpu", threads=1), checkpoint=tmp_path / "c")
    assert len(again(tmp_path / "c").history) == 4
    assert (tmp_path / "c").is_dir()  # until the model is saved


def test_restart_discards_the_checkpoint(tmp_path: Path) -> None:
    interrupted(tmp_path / "c")
    counted = Interrupter(-1)
    again(tmp_path / "c", dataclasses.replace(SPEC, lr=0.5), restart=True, run=Run(device="cpu", progress=counted))
    assert counted.updates == 12
    assert not (tmp_path / "c").exists()


def test_a_checkpoint_is_removed_when_the_model_is_saved(tmp_path: Path) -> None:
    interrupted(tmp_path / "c")
    said: list[str] = []
    model = again(tmp_path / "c", report=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"going on from the checkpoint in {tmp_path / 'c'}: 0 epochs done, written 2")
    model.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert model.metadata["seconds"] > 0


@pytest.mark.parametrize("file", ["checkpoint.json", "tensors.safetensors"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\x00", b'{"format": 1, "identity": []}'])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path: Path, file: str, damage: bytes) -> None:
    interrupted(tmp_path / "c")
    (tmp_path / "c" / file).write_bytes(damage)
    with pytest.raises(ArtefactError, match=r"the checkpoint \S+ is damaged \(.*\); discard it with restart = True"):
        again(tmp_path / "c")


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    interrupted(tmp_path / "c")
    text = (tmp_path / "c" / "checkpoint.json").read_text()
    (tmp_path / "c" / "checkpoint.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(ArtefactError, match="newer version; upgrade recsys-ae, or discard it with restart = True"):
        again(tmp_path / "c")


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learn(Tiny(epochs=2), tmp_path / "file", progress=Interrupter(-1))
    with pytest.warns(UserWarning, match="cannot write the checkpoint"), pytest.raises(KeyboardInterrupt):
        learn(Tiny(epochs=2), tmp_path / "file", progress=Interrupter(2))


def test_checkpoints_are_written_in_time_and_cost_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of its own: an update takes 1 s and a checkpoint 3 s, so the pause becomes 147 s."""
    now = [0.0]
    written: list[float] = []

    def write(*_: Any) -> None:
        written.append(now[0])
        now[0] += 3

    monkeypatch.setattr("recsys_ae.nn.checkpoints.session.time.monotonic", lambda: now[0])
    monkeypatch.setattr("recsys_ae.nn.checkpoints.files.write", write)
    checkpoints = session_of(tmp_path, minutes=1)
    with seeded(1):
        network = TinyNetwork(Tiny(epochs=120), Shape(*DATA.shape))

    def progress(_: object) -> None:
        now[0] += 1

    network.learn(rows_of(DATA), Run(device="cpu", checkpoints=checkpoints, progress=progress))
    assert written == [60, 60 + 3 + 147, 210 + 3 + 147]


def test_a_large_checkpoint_is_put_off_the_first_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys_ae.nn.checkpoints.session.BYTES_PER_SECOND", 1.0)
    written: list[Any] = []
    monkeypatch.setattr("recsys_ae.nn.checkpoints.files.write", lambda *given: written.append(given))
    with seeded(1), session_of(tmp_path, minutes=1e-9) as checkpoints:
        network = TinyNetwork(Tiny(epochs=3), Shape(*DATA.shape))
        network.learn(rows_of(DATA), Run(device="cpu", checkpoints=checkpoints))
    assert not written


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf")])
def test_a_wrong_number_of_minutes_is_refused(minutes: float) -> None:
    with pytest.raises(ConfigError, match=r"minutes = .* must be a number of minutes, at least 0"):
        Checkpoint(path="c", minutes=minutes)


def test_a_second_signal_ends_at_once_and_the_former_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path / "c")
    before = (tmp_path / "c" / "checkpoint.json").read_bytes()

    def write(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal did not end the writing")

    with monkeypatch.context() as patch:
        patch.setattr("recsys_ae.nn.checkpoints.files.save_tensors", write)
        interrupted(tmp_path / "c")
    assert (tmp_path / "c" / "checkpoint.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_in_another_thread_signals_stay_as_they_are(tmp_path: Path) -> None:
    handlers: list[Any] = []

    def progress(_: object) -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=learn, args=(Tiny(epochs=1), tmp_path), kwargs={"progress": progress})
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert set(handlers) == {before}
    assert signal.getsignal(signal.SIGINT) is before
