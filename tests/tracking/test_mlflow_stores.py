"""Addresses of MLflow stores: comparison, and the folders in which artefacts may be written."""

from pathlib import Path

import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.tracking.mlflow_stores import (
    absolute,
    artefact_folders,
    check_artefacts,
    experiment,
    is_plain_id,
    own_store,
    same_store,
)

HERE = "{here}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for setting in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(setting, raising=False)
    return tmp_path.resolve()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://server:5000", "HTTP://Server:5000/", True),
        ("https://server", "https://server:443/", True),
        ("http://server", "http://user:secret@server", True),
        ("http://server/a/", "http://server/a", True),
        ("http://server", "https://server", False),
        ("http://server:5000", "http://server:5001", False),
        ("http://server", "http://server.evil.org", False),
        ("http://server", "http://server@evil.org", False),
        ("http://server/a", "http://server/b", False),
        ("http://server:port", "http://server:port", False),
        ("sqlite:///mlflow.db", f"sqlite:///{HERE}/mlflow.db", True),
        ("sqlite:///mlflow.db", f"sqlite:///{HERE}/x/../mlflow.db", True),
        ("sqlite:///mlflow.db", f"sqlite:///{HERE}/x/mlflow.db", False),
        ("sqlite:///mlflow.db", f"{HERE}/mlflow.db", False),
        ("mlruns", f"file://{HERE}/mlruns/", True),
        ("mlruns", "other", False),
        ("databricks", "databricks", True),
        ("databricks", "databricks://profile", False),
    ],
)
def test_addresses_are_compared_by_what_they_mean(one: str, other: str, same: bool, here: Path) -> None:
    assert same_store(one.format(here=here), other.format(here=here)) is same


def test_the_users_own_store_is_the_setting_or_a_file_here(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_store() == f"sqlite:///{here}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert own_store() == "http://server"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("store", "{here}/store"),
        ("./a/../store", "{here}/a/../store"),
        ("100%25", "{here}/100%25"),
        ("file:store", "file://{here}/store"),
        ("file:./store", "file://{here}/store"),
        ("file:///tmp/s%20t", "file:///tmp/s%20t"),
        ("sqlite:///runs.db", "sqlite:///{here}/runs.db"),
        ("http://server", "http://server"),
        ("databricks", "databricks"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
    ],
)
def test_an_address_means_the_same_place_after_the_working_directory_changes(
    given: str, expected: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = absolute(given)
    assert resolved == expected.format(here=here)
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert absolute(resolved) == resolved


def test_the_environment_names_the_experiment_unless_the_caller_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert experiment() == {"name": "recsys_ae", "id": None}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    assert experiment() == {"name": None, "id": "7"}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert experiment() == {"name": "mine", "id": "7"}
    assert experiment("other") == {"name": "other", "id": None}
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    assert experiment() == {"name": "recsys_ae", "id": None}


@pytest.mark.parametrize(
    ("store", "contained", "place", "allowed"),
    [
        (f"sqlite:///{HERE}/s/m.db", True, f"{HERE}/s/mlruns/1/r/artifacts", True),
        (f"sqlite:///{HERE}/s/m.db", True, f"file://{HERE}/mlruns/1/r/artifacts", True),
        (f"sqlite:///{HERE}/s/m.db", True, f"{HERE}/s/.ssh", False),
        (f"sqlite:///{HERE}/s/m.db", True, f"{HERE}/mlruns-other", False),
        (f"sqlite:///{HERE}/s/m.db", True, "http://server/artifacts", False),
        (f"sqlite:///{HERE}/s/m.db", True, f"file:{HERE}/%2e%2e/x", False),
        (f"sqlite:///{HERE}/s/m.db", False, f"{HERE}/s/anywhere", True),
        (f"{HERE}/runs", True, f"{HERE}/runs/0/r/artifacts", True),
        ("http://server", False, f"file://{HERE}/mlruns/1", False),
        ("http://server", False, f"{HERE}/mlruns/1", False),
        ("http://server", False, "runs:/other/model", False),
        ("http://server", False, "mlflow-artifacts:/1/r/artifacts", True),
        ("http://server", False, "s3://bucket/1", True),
    ],
)
def test_a_store_says_where_artefacts_go_as_far_as_it_is_trusted(
    store: str, contained: bool, place: str, allowed: bool, here: Path
) -> None:
    folders = artefact_folders(store.format(here=here), contained=contained)
    if allowed:
        check_artefacts(place.format(here=here), folders, "report.json")
    else:
        with pytest.raises(ConfigError, match="keeps them in"):
            check_artefacts(place.format(here=here), folders, "report.json")


@pytest.mark.parametrize("text", ["r/1", "..", "", "-r", "r\n", "r%2f", "ä", 1, None])
def test_an_id_has_no_parts(text: object) -> None:
    assert not is_plain_id(text)
    assert is_plain_id("0a1b-c_d")
