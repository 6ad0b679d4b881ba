"""Saved models: round trips, atomic writes, damaged and foreign folders; loading runs no code."""

import errno
import hashlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae import Interactions, Recommender, Run
from recsys_ae.errors import ArtefactError, MissingPackageError, NotFittedError
from recsys_ae.models import Popularity
from recsys_ae.storage import artefact, atomic
from recsys_ae.storage.artefact import Artefact
from tests.models.blocks import holdout, small, training_data
from tests.single_thread import single_thread  # noqa: F401

CPU = torch.device("cpu")
FILES = {"config.json", "items.json", "notes.json", "state.safetensors"}


def fit(name: str = "mult_vae", **chosen: Any) -> Recommender:
    data = training_data()
    return Recommender(small(name, epochs=1, **chosen)).fit(data, valid=holdout(data), run=Run(device="cpu"))


@pytest.fixture(scope="module")
def model() -> Recommender:
    fitted = fit()
    fitted.notes = {"source": "blocks"}
    return fitted


@pytest.fixture
def folder(model: Recommender, tmp_path: Path) -> Path:
    path = tmp_path / "home" / "model"
    model.save(path)
    return path


def scores_of(model: Recommender) -> np.ndarray:
    return model.score(training_data().matrix)


def rewrite_config(folder: Path, **changes: Any) -> None:
    """Change a configuration and its checksum, as a person would who does it on purpose."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    checksum = config["checksums"].pop("config.json")
    assert checksum == _checksum(config)
    config |= changes
    config["checksums"]["config.json"] = _checksum(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _checksum(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def assert_intact(folder: Path, model: Recommender) -> None:
    """Assert that the folder holds this model and that nothing else is next to it."""
    again = Recommender.load(folder, device="cpu")
    assert again.spec == model.spec
    np.testing.assert_array_equal(scores_of(again), scores_of(model))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


# Contents


def test_a_folder_holds_json_and_tensors_and_says_where_they_come_from(folder: Path, model: Recommender) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["format"] == 1
    assert config["model"] == "mult_vae"
    assert config["spec"]["latent"] == 8
    assert config["spec"]["hidden"] == [16]
    assert config["shape"] == [60, 32]
    assert config["history"] == model.history
    assert set(config["facts"]["versions"]) == {"python", "recsys-ae", "torch", "numpy"}
    assert len(config["facts"]["train_fingerprint"]) == 16
    assert "split_fingerprint" in config["facts"]
    for name in FILES - {"config.json"}:
        assert config["checksums"][name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert json.loads((folder / "notes.json").read_text(encoding="utf-8")) == {"source": "blocks"}
    assert (folder / "state.safetensors").read_bytes()[8:9] == b"{"


def test_a_model_may_be_moved_and_renamed(folder: Path, model: Recommender, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "under another name"
    moved.parent.mkdir()
    folder.rename(moved)
    assert_intact(moved, model)


def test_a_fresh_process_loads_it_without_the_training_data_and_runs_no_code_from_it(
    folder: Path, model: Recommender
) -> None:
    """Scores are equal in another process, which is started inside a folder with planted files."""
    trap = f"open({str(folder.parent / 'sprung')!r}, 'w')\n"
    for name in ("__init__.py", "mult_vae.py", "config.py", "model.py", "state.py", "conftest.py"):
        (folder / name).write_text(trap, encoding="utf-8")
    (folder / "state.pkl").write_bytes(b"cos\nsystem\n(S'touch sprung'\ntR.")
    script = (
        "import sys, numpy as np\n"
        "from scipy.sparse import csr_matrix\n"
        "from recsys_ae import Recommender\n"
        "rows = csr_matrix(np.eye(32, dtype=np.float32))\n"
        "sys.stdout.buffer.write(Recommender.load('.', device='cpu').score(rows).tobytes())\n"
    )
    root = str(Path(artefact.__file__).parents[2])
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder, capture_output=True, check=True, env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    from scipy.sparse import csr_matrix

    expected = model.score(csr_matrix(np.eye(32, dtype=np.float32)))
    np.testing.assert_allclose(
        np.frombuffer(process.stdout, np.float32).reshape(32, 32), expected, rtol=1e-6, atol=1e-7
    )
    assert not (folder.parent / "sprung").exists()
    assert not (folder / "sprung").exists()


# Ids

IDS: dict[str, "pd.Index[Any]"] = {
    "numbers": pd.Index([3, 1, -7, 2**62]),
    "counted": pd.RangeIndex(5),
    "large numbers": pd.Index([1, 2**64 - 1], dtype="uint64"),
    "fractions": pd.Index([0.1, 1 / 3, 1e300, 5e-324, -2.0]),
    "text": pd.Index(["1", "01", "1.0", "", " ", "None", "null", "NaN"]),
    "mixed": pd.Index([1, "1", 1.5, "1.5", -1, "x"], dtype=object),
    "emoji": pd.Index(["😀", "👩‍👩‍👧", "e\u0301", "é", "\u202e", "\0", "\n", "\x7f"]),
    "quotes": pd.Index(['"', "'", '","', "\\", "\\u0041", "{}", "a,b", "[1]"]),
    "endless": pd.Index(["x" * 10_000, "x" * 9_999 + "y"]),
    "lone surrogates": pd.Index(["\ud800", "a\udfffb", "a"], dtype=object),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_come_back_with_their_types(kind: str, tmp_path: Path) -> None:
    ids = IDS[kind]
    artefact.write(tmp_path / "model", Artefact({}, ids, {"a": torch.zeros(1)}, {}))
    again = artefact.read(tmp_path / "model", CPU).items
    assert again.tolist() == ids.tolist()
    assert [type(id) for id in again.tolist()] == [type(id) for id in ids.tolist()]
    assert again.dtype == ids.dtype
    assert again.get_indexer(ids).tolist() == list(range(len(ids)))


@pytest.mark.parametrize("kind", sorted(set(IDS) - {"lone surrogates"}))
def test_models_of_any_ids_recommend_the_same_after_loading(kind: str, tmp_path: Path) -> None:
    ids = IDS[kind].tolist()
    frame = pd.DataFrame(
        {"user": [*range(len(ids)), 0], "item": pd.Series([*ids, ids[1]], dtype=object)}
    ).infer_objects()
    model = Recommender(Popularity()).fit(Interactions.from_frame(frame), run=Run(device="cpu"))
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    pd.testing.assert_frame_equal(again.recommend_frame(frame), model.recommend_frame(frame))
    assert again.positions(ids).tolist() == model.positions(ids).tolist()


def test_tensors_of_every_kind_come_back(tmp_path: Path) -> None:
    state = {
        "whole": torch.arange(6).reshape(2, 3).T,
        "half": torch.tensor([1.5, -2.25], dtype=torch.bfloat16),
        "double": torch.tensor(1 / 3, dtype=torch.float64),
        "flags": torch.tensor([True, False]),
        "nothing": torch.empty(0, 4),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0]),
    }
    shared = torch.arange(4.0)
    state |= {"first": shared[:2], "all": shared, "again": shared}
    artefact.write(tmp_path / "model", Artefact({}, pd.Index([1]), state, {}))
    again = artefact.read(tmp_path / "model", CPU).state
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        assert again[name].dtype == tensor.dtype
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=0, equal_nan=True)


def test_numbers_of_the_configuration_come_back_exactly(tmp_path: Path) -> None:
    config = {"a": 0.1 + 0.2, "b": 1e-300, "c": 2**60, "d": [1.0, None, True, "ü\ud800"], "e": {"f": -0.0}}
    artefact.write(tmp_path / "model", Artefact(config, pd.Index([1]), {}, {"n": 1 / 3}))
    again = artefact.read(tmp_path / "model", CPU)
    assert {name: again.config[name] for name in config} == config
    assert again.notes == {"n": 1 / 3}


@pytest.mark.parametrize("wrong", [{"a": {1, 2}}, {"a": float("nan")}, {"a": np.int64(1)}, {"a": Path()}])
def test_notes_that_json_cannot_hold_are_refused_and_leave_nothing(wrong: dict[str, Any], tmp_path: Path) -> None:
    model = fit()
    model.notes = wrong
    with pytest.raises(ArtefactError, match="cannot save the model, because its ids, notes and metadata must be JSON"):
        model.save(tmp_path / "home" / "model")
    assert list((tmp_path / "home").iterdir()) == []


# Users


@pytest.fixture
def peopled(tmp_path: Path) -> Path:
    """Return the folder of a saved model with user ids."""
    path = tmp_path / "home" / "peopled"
    artefact.write(path, _peopled(pd.Index(["u", "v", "1"])))
    return path


def _peopled(users: "pd.Index[Any]") -> Artefact:
    return Artefact({}, pd.Index([1, 2]), {"a": torch.zeros(1)}, {}, users)


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_users_and_items_come_back_with_their_types(kind: str, tmp_path: Path) -> None:
    ids = IDS[kind]
    artefact.write(tmp_path / "model", _peopled(ids))
    again = artefact.read(tmp_path / "model", CPU)
    assert again.items.tolist() == [1, 2]
    assert again.users.tolist() == ids.tolist()
    assert [type(id) for id in again.users.tolist()] == [type(id) for id in ids.tolist()]
    assert again.users.dtype == ids.dtype
    assert again.users.get_indexer(ids).tolist() == list(range(len(ids)))


def test_users_have_a_file_only_where_there_are_users(peopled: Path, tmp_path: Path) -> None:
    assert {path.name for path in peopled.iterdir()} == {*FILES, "users.json"}
    config = json.loads((peopled / "config.json").read_text(encoding="utf-8"))
    assert config["checksums"]["users.json"] == hashlib.sha256((peopled / "users.json").read_bytes()).hexdigest()
    artefact.write(tmp_path / "nobody", _peopled(pd.Index([])))
    assert {path.name for path in (tmp_path / "nobody").iterdir()} == FILES
    assert (
        "users.json" not in json.loads((tmp_path / "nobody" / "config.json").read_text(encoding="utf-8"))["checksums"]
    )
    assert artefact.read(tmp_path / "nobody", CPU).users.tolist() == []


def test_a_model_that_knows_nobody_replaces_one_that_knows_its_users_with_their_file(peopled: Path) -> None:
    artefact.write(peopled, _peopled(pd.Index([])), overwrite=True)
    assert {path.name for path in peopled.iterdir()} == FILES
    assert len(artefact.read(peopled, CPU).users) == 0
    artefact.write(peopled, _peopled(pd.Index([7])), overwrite=True)
    assert artefact.read(peopled, CPU).users.tolist() == [7]


def test_missing_or_damaged_users_are_found_out(peopled: Path) -> None:
    content = (peopled / "users.json").read_bytes()
    for damaged in (content[:-1], content.replace(b"u", b"w"), b""):
        (peopled / "users.json").write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"is damaged: users.json does not match its checksum"):
            artefact.read(peopled, CPU)
    (peopled / "users.json").unlink()
    with pytest.raises(ArtefactError, match=r"is damaged: users.json is missing"):
        artefact.read(peopled, CPU)
    (peopled / "users.json").write_bytes(content)
    assert artefact.read(peopled, CPU).users.tolist() == ["u", "v", "1"]


def test_users_that_were_slipped_in_are_not_read(tmp_path: Path) -> None:
    artefact.write(tmp_path / "model", _peopled(pd.Index([])))
    (tmp_path / "model" / "users.json").write_text('{"dtype": "int64", "values": [1]}', encoding="utf-8")
    assert artefact.read(tmp_path / "model", CPU).users.tolist() == []


# Overwriting


def test_what_exists_is_not_overwritten_unless_allowed(folder: Path, model: Recommender) -> None:
    new_model = fit(latent=3)
    with pytest.raises(ArtefactError, match=f"{folder} exists; choose another folder, or replace it with overwrite"):
        new_model.save(folder)
    assert_intact(folder, model)
    new_model.save(folder, overwrite=True)
    assert_intact(folder, new_model)


def test_an_empty_folder_may_be_filled(model: Recommender, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "model"
    folder.mkdir(parents=True)
    model.save(folder)
    assert_intact(folder, model)


def _foreign_folders(home: Path) -> Iterator[Path]:
    contents: dict[str, dict[str, str]] = {
        "photos": {"holiday.jpg": "..."},
        "another model": {"config.json": '{"architectures": ["BertModel"], "vocab_size": 30522}', "model.bin": "..."},
        "another format": {"config.json": '{"format": 1}'},
        "a list": {"config.json": "[1, 2]"},
        "no json": {"config.json": "format: 1"},
        "a folder instead": {"config.json/x": "..."},
    }
    for name, files in contents.items():
        for file, text in files.items():
            (home / name / file).parent.mkdir(parents=True, exist_ok=True)
            (home / name / file).write_text(text, encoding="utf-8")
        yield home / name


def _everything(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_a_foreign_folder_is_never_overwritten_and_never_loaded(model: Recommender, tmp_path: Path) -> None:
    for folder in _foreign_folders(tmp_path):
        before = _everything(tmp_path)
        with pytest.raises(ArtefactError, match="holds no saved model, so it is not overwritten; choose another"):
            model.save(folder, overwrite=True)
        with pytest.raises(ArtefactError, match="exists; choose another folder"):
            model.save(folder)
        with pytest.raises(ArtefactError):
            Recommender.load(folder)
        assert _everything(tmp_path) == before


def test_a_model_next_to_other_files_is_not_overwritten(folder: Path, model: Recommender) -> None:
    (folder / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"also holds thesis.tex, which is not part of a saved model, so it"):
        model.save(folder, overwrite=True)
    assert (folder / "thesis.tex").read_text(encoding="utf-8") == "years of work"


def test_a_file_is_never_overwritten(model: Recommender, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(ArtefactError, match=f"{file} "):
            model.save(file, overwrite=overwrite)
        with pytest.raises(ArtefactError, match=f"cannot save to {file / 'model'}: {file} is not a folder"):
            model.save(file / "model", overwrite=overwrite)
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_link_stays_and_what_it_points_to_is_replaced(folder: Path, model: Recommender, tmp_path: Path) -> None:
    latest = tmp_path / "latest"
    latest.symlink_to(folder)
    new_model = fit(latent=3)
    new_model.save(latest, overwrite=True)
    assert latest.is_symlink()
    assert_intact(folder, new_model)


def test_files_are_as_open_as_others_that_the_user_makes(model: Recommender, tmp_path: Path) -> None:
    for mask, file_mode, folder_mode in [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]:
        before = os.umask(mask)
        try:
            model.save(tmp_path / oct(mask))
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / oct(mask)).stat().st_mode) == folder_mode
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / oct(mask)).iterdir()} == {file_mode}


# Failures while saving


class Sudden(BaseException):
    """Exception like that of Ctrl-C."""


FAILURES = [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error"), Sudden()]
STAGES = [
    ("_write_json", 1), ("_write_json", 2), ("_write_json", 3), ("save_tensors", 1), ("_checksum", 1),
    ("_checksum", 3), ("flush", 1), ("flush", 5), ("_replace", 1),
]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize(("stage", "which"), STAGES)
def test_a_failure_at_any_stage_leaves_the_old_model_and_nothing_else(
    failure: BaseException, stage: str, which: int, folder: Path, model: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    home = artefact if hasattr(artefact, stage) else atomic
    genuine = getattr(home, stage)

    def failing(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == which:
            raise failure
        return genuine(*args, **options)

    new_model = fit(latent=3)
    monkeypatch.setattr(home, stage, failing)
    expected = ArtefactError if isinstance(failure, OSError) else Sudden
    with pytest.raises(expected) as caught:
        new_model.save(folder, overwrite=True)
    if isinstance(failure, OSError):
        assert str(caught.value) == f"cannot save to {folder}: {failure.strerror}"
    calls.clear()
    with pytest.raises(expected):
        new_model.save(folder.parent / "new")
    monkeypatch.undo()
    assert_intact(folder, model)


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("which", [1, 2])
def test_a_failure_while_the_new_takes_the_place_of_the_old_puts_the_old_back(
    failure: BaseException, which: int, folder: Path, model: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    genuine = Path.rename

    def failing(self: Path, target: Path) -> Path:
        calls.append(1)
        if len(calls) == which:
            raise failure
        return genuine(self, target)

    monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises((ArtefactError, Sudden)):
        fit(latent=3).save(folder, overwrite=True)
    monkeypatch.undo()
    assert_intact(folder, model)


def test_a_process_that_is_killed_leaves_the_old_model(folder: Path, model: Recommender) -> None:
    script = (
        "import os, signal, sys\n"
        "import torch\n"
        "from pathlib import Path\n"
        "from recsys_ae import Recommender\nfrom recsys_ae.storage import artefact\n"
        "model = Recommender.load(sys.argv[1], device='cpu')\n"
        "model.notes = {'changed': True}\n"
        "artefact._checksum_of = lambda config: os.kill(os.getpid(), signal.SIGKILL)\n"
        "artefact._refuse_to_replace = lambda path, overwrite: None\n"
        "model.save(sys.argv[1], overwrite=True)\n"
    )
    root = str(Path(artefact.__file__).parents[2])
    process = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert list(folder.parent.glob(".model.*.partial"))
    assert_intact(folder, model)  # what reads the model removes what the process left


@pytest.mark.parametrize("limit", [0, 100, 1000])
def test_a_disk_that_takes_no_more_is_named_and_nothing_is_left(limit: int, folder: Path, model: Recommender) -> None:
    """The operating system limits the size of files, as a quota or a full disk does."""
    new_model = fit(latent=3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(ArtefactError, match=f"^cannot save to {folder}: File too large$"):
            new_model.save(folder, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_intact(folder, model)


def test_a_full_disk_reads_like_one_when_the_tensors_find_it_full(
    folder: Path, model: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    def full(*_: Any, **__: Any) -> None:
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(ArtefactError, match=f"^cannot save to {folder}: No space left on device$"):
        fit(latent=3).save(folder, overwrite=True)
    monkeypatch.undo()
    assert_intact(folder, model)


def test_everything_is_on_the_disk_before_it_takes_its_place(
    model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    flush, rename = atomic.flush, Path.rename
    monkeypatch.setattr(atomic, "flush", lambda path: (events.append(path.name), flush(path)))

    def renamed(self: Path, target: Path) -> Path:
        events.append("renamed")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    model.save(tmp_path / "model")
    before, after = events[: events.index("renamed")], events[events.index("renamed") + 1 :]
    assert set(before) >= FILES
    assert before[-1].startswith(".model.")
    assert after == [tmp_path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_named(model: Recommender, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ArtefactError, match=f"cannot save to .*: {tmp_path} is not writable"):
            model.save(tmp_path / "model")
    finally:
        tmp_path.chmod(0o755)


def test_a_folder_that_cannot_be_written_to_is_named_before_the_work(
    model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    message = f"cannot save to {tmp_path / 'a' / 'b'}: {tmp_path} is not writable"
    with pytest.raises(ArtefactError, match=message):
        artefact.refuse_to_write(tmp_path / "a" / "b", overwrite=False)
    with pytest.raises(ArtefactError, match=message):
        model.save(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_an_error_of_ours(model: Recommender, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="File name too long"):
        model.save(tmp_path / ("x" * 300))
    with pytest.raises(ArtefactError, match="File name too long"):
        Recommender.load(tmp_path / ("x" * 300))


def test_without_safetensors_the_package_is_named(
    folder: Path, model: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for use in (lambda: model.save(folder.parent / "other"), lambda: Recommender.load(folder)):
        with pytest.raises(MissingPackageError, match="needs the package safetensors; install it"):
            use()
    assert not (folder.parent / "other").exists()


def test_what_is_not_fitted_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        Recommender(Popularity()).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# Damaged and foreign folders


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match=f"{folder} .*{name}"):
        Recommender.load(folder)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_found_out(name: str, share: float, folder: Path) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtefactError, match=str(folder)):
        Recommender.load(folder)


@pytest.mark.parametrize("name", sorted(FILES - {"config.json"}))
@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_flipped_bit_is_found_out(name: str, bit: int, folder: Path) -> None:
    content = (folder / name).read_bytes()
    for position in (0, len(content) // 3, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[position] ^= bit
        (folder / name).write_bytes(damaged)
        with pytest.raises(ArtefactError, match=f"{folder} is damaged: {name} does not match its checksum"):
            Recommender.load(folder)
    (folder / name).write_bytes(content)
    Recommender.load(folder)


@pytest.mark.parametrize("bit", [0x01, 0x04, 0x80])
def test_a_flipped_bit_anywhere_in_the_configuration_is_found_out(bit: int, folder: Path) -> None:
    content = (folder / "config.json").read_bytes()
    genuine, passed = artefact.read(folder, CPU).config, 0
    for position in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= bit
        (folder / "config.json").write_bytes(damaged)
        try:
            config = artefact.read(folder, CPU).config
        except ArtefactError:
            continue
        # The 17th digit of a number may change without changing the number.
        assert config == genuine
        passed += 1
    assert passed < 10


def test_a_changed_hyper_parameter_is_found_out(folder: Path) -> None:
    text = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(text.replace('"lr": 0.01', '"lr": 0.02'), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"config.json does not match its checksum"):
        Recommender.load(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "3", '"text"', '{"format": "1"}', '{"model": "ease"}', "\ufeff{}", "{}" * 2, "\0"]
)
def test_a_configuration_that_is_none_is_refused(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=str(folder)):
        Recommender.load(folder)


def test_what_is_no_folder_of_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "file", "empty"):
        with pytest.raises(ArtefactError, match=f"{tmp_path / name} is not a saved model: it has no config.json"):
            Recommender.load(tmp_path / name)


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    for text in ('{"format": 2}', '{"format": 99, "checksums": {}, "spec": "of another kind"}'):
        (folder / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(
            ArtefactError, match=r"was written by a newer version \(format \d+; this one reads up to 1\)"
        ):
            Recommender.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "mult_vea"}, r"there is no model 'mult_vea'; did you mean 'mult_vae'\?"),
        ({"model": "../../evil"}, "there is no model '../../evil'"),
        ({"model": 5}, "cannot be loaded by this version"),
        ({"spec": {"latent": 0}}, "latent = 0 is out of bounds; expected at least 1"),
        ({"spec": {"latent": "8"}}, "latent = '8' must be of type int"),
        ({"spec": {"lattent": 8}}, r"no hyper-parameter 'lattent'; did you mean 'latent'\?"),
        ({"spec": {"latent": 9, "hidden": [16]}}, "size mismatch"),
        ({"spec": {"latent": 8, "hidden": []}}, "cannot be loaded by this version"),
        ({"spec": None}, "cannot be loaded by this version"),
        ({"shape": [60, 31]}, "size mismatch"),
        ({"shape": [60]}, "cannot be loaded by this version"),
        ({"shape": [60, -1]}, "cannot be loaded by this version"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(changes: dict[str, Any], message: str, folder: Path) -> None:
    rewrite_config(folder, **changes)
    with pytest.raises(ArtefactError, match=message):
        Recommender.load(folder)


@pytest.mark.parametrize("missing", ["model", "spec", "shape", "history", "facts"])
def test_a_configuration_with_a_part_missing_is_refused(missing: str, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config[missing], config["checksums"]["config.json"]
    config["checksums"]["config.json"] = _checksum(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ArtefactError, match=f"cannot be loaded by this version: '{missing}'"):
        Recommender.load(folder)


def test_a_file_that_cannot_be_read_is_an_error_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(artefact, "_checksum", refused)
    with pytest.raises(ArtefactError, match=f"^cannot read {folder}: Permission denied$"):
        Recommender.load(folder)


def test_a_model_is_not_loaded_onto_a_device_that_is_not_there(folder: Path) -> None:
    from recsys_ae.errors import ConfigError

    with pytest.raises(ConfigError, match="device = 'tpu' is not supported"):
        Recommender.load(folder, device="tpu")
