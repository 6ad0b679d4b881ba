"""From ratings to recommendations, each command in a process of its own."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd

from tests.cli.conftest import FAST, Run


def test_fit_evaluate_recommend_and_similar_work_one_after_the_other(program: Run, here: Path, ratings: Path) -> None:
    fitted = program(
        "fit", "mult-vae", "--data", ratings, *FAST, "--epochs", 3, "--latent", 8, "--hidden", 16, "--out", "model"
    )
    assert fitted.code == 0, fitted.err
    assert "ndcg@100" in fitted.out
    assert "s per epoch" in fitted.out
    assert "MiB at its peak" in fitted.out
    assert "recsys-ae evaluate model" in fitted.out

    evaluated = program("evaluate", "model", "--json", "--metrics", "recall@5,ndcg@10")
    assert evaluated.code == 0, evaluated.err
    report = json.loads(evaluated.out)
    assert set(report["metrics"]) == {"recall@5", "ndcg@10"}
    assert report["fingerprint"] in fitted.out

    assert program("recommend", "model", "--k", 3, "--out", "top.parquet").code == 0
    piped = program("recommend", "model", "--k", 3, "--out", "-")
    assert piped.code == 0
    table = pd.read_parquet(here / "top.parquet")
    rows = list(csv.reader(io.StringIO(piped.out)))
    assert rows[0] == ["user", "rank", "item", "score"]
    assert [row[:3] for row in rows[1:]] == [
        [u, str(r), i] for u, r, i in zip(table.user, table["rank"], table.item, strict=True)
    ]
    assert table.groupby("user").size().eq(3).all()

    alike = program("similar", "model", "film 2", "🎬 film", "--k", 2)
    assert alike.code == 0
    assert alike.out.count("Similar to ") == 2


def test_a_tracked_run_holds_the_fit_and_the_evaluation(program: Run, here: Path, ratings: Path) -> None:
    arguments = ("fit", "mult-dae", "--data", ratings, "--min-user-items", 3, "--epochs", 2, "--latent", 4)
    fitted = program(*arguments, "--out", "model")
    assert (fitted.code, fitted.err) == (0, "")
    evaluated = program("evaluate", "model", "--metrics", "ndcg@10")
    assert (evaluated.code, evaluated.err) == (0, "")

    # The store is read without MLflow, which takes seconds to load.
    with closing(sqlite3.connect(here / "mlflow.db")) as store:
        params = dict(store.execute("SELECT key, value FROM params"))
        metrics = store.execute("SELECT key, value FROM metrics").fetchall()
        ((folder,),) = store.execute("SELECT artifact_uri FROM runs").fetchall()
    assert (params["epochs"], params["data.split"]) == ("2", "strong")
    assert [name for name, _ in metrics].count("valid/ndcg_at_100") == 2
    assert f"ndcg@10  {dict(metrics)['test/ndcg_at_10']:.4f}" in evaluated.out
    kept = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")}
    assert {"model/config.json", "loss_curve.png", "test_report.json"} <= kept
