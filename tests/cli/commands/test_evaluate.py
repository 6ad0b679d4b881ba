"""``recsys-ae evaluate``: metrics beyond accuracy, and groups of users."""

import json
from pathlib import Path

import pytest

from recsys_ae.metrics import BEYOND
from tests.cli.conftest import Run
from tests.single_thread import single_thread  # noqa: F401


def users_of(cli: Run, model: Path) -> list[str]:
    assert cli("evaluate", model, "--per-user", "users.csv").code == 0
    return [line.split(",")[0] for line in Path("users.csv").read_text().splitlines()[1:]]


def test_metrics_beyond_accuracy_are_added(cli: Run, model: Path) -> None:
    content = json.loads(cli("evaluate", model, "--beyond", "--json").out)
    assert set(BEYOND) <= {*content["metrics"], *content["overall"]}
    assert "ndcg@100" in content["metrics"]
    assert 0 < content["overall"]["coverage@20"] <= 1
    text = cli("evaluate", model, "--metrics", "novelty@5,gini@3,map_all@4").out
    for name in ("novelty@5", "gini@3", "map_all@4"):
        assert f"\n{name} " in f"\n{text}"
        assert f"\n{name.split('@')[0]}@k = " in text
    only = cli("evaluate", model, "--metrics", "coverage@3")
    assert only.code == 0, only.err
    assert only.out.startswith("coverage@3  ")


def test_given_vectors_measure_diversity(cli: Run, here: Path, model: Path) -> None:
    items = json.loads((model / "config.json").read_text())["shape"]
    assert items
    outcome = cli("evaluate", model, "--metrics", "diversity@5", "--item-vectors", "nowhere.csv")
    assert outcome.code == 1
    assert "nowhere.csv" in outcome.error


def test_groups_of_users(cli: Run, here: Path, model: Path) -> None:
    users = users_of(cli, model)
    rows = [f"{user},{'north' if n % 2 else 'south'},{n * 1.5}" for n, user in enumerate(users[:-1])]
    (here / "table.csv").write_text("\n".join(["user_id,region,age", *rows]) + "\n")
    outcome = cli(
        "evaluate", model, "--slice-by", "activity", "--slice-by", "region", "--slice-by", "age",
        "--user-table", "table.csv", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    by = {part["by"]: part["groups"] for part in json.loads(outcome.out)["slices"]}
    assert list(by) == ["activity", "region", "age"]
    assert {group: part["users"] for group, part in by["region"].items()} == {
        "north": len(users[:-1]) // 2, "south": (len(users[:-1]) + 1) // 2, "(none)": 1
    }  # fmt: skip
    shown = cli("evaluate", model, "--slice-by", "region", "--user-table", "table.csv").out
    assert "region" in shown
    assert "north" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--slice-by", "region"), "--slice-by region needs --user-table FILE"),
        (
            ("--slice-by", "regoin", "--user-table", "table.csv"),
            "table.csv has no such column; its columns are user_id",
        ),
        (("--slice-by", "region", "--user-table", "nowhere.csv"), "nowhere.csv"),
        (("--slice-by", "region", "--user-table", "others.csv"), "region: none of the"),
        (("--metrics", "novelti@3"), "did you mean 'novelty'"),
    ],
)
def test_wrong_groups_are_one_clear_line(cli: Run, here: Path, model: Path, words: tuple[str, ...], said: str) -> None:
    (here / "table.csv").write_text("user_id,region\n1,north\n")
    (here / "others.csv").write_text("user_id,region\nnobody,north\n")
    outcome = cli("evaluate", model, *words)
    assert outcome.code in (1, 2)
    assert said in outcome.error
