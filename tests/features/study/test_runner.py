"""Tests of the runner: saved fits and measures are not repeated, and interrupted studies continue."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.errors import ArtefactError
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.study.fits import works
from recsys_ae.features.study.results import Mean, Results
from recsys_ae.features.study.runner import Advance, run_study, shelf_of
from recsys_ae.features.study.store import Measured, Shelf
from recsys_ae.nn.runtime import Run
from tests.features.study.small import SIZES, data, plan

RUN = Run(device="cpu", threads=1)
GROUP = {"steps": ["latent", "denoising"], "models": ["pca", "deep"], "latents": [2, 3]}


def stamps(out: Path) -> dict[str, int]:
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    advances: list[Advance] = []
    run_study(plan(GROUP), data(), tmp_path, run=RUN, tell=advances.append)
    assert [(advance.done, advance.total) for advance in advances] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert advances[0].left is not None
    assert advances[-1].left == 0
    before = stamps(tmp_path)
    advances.clear()
    run_study(plan(GROUP), data(), tmp_path, run=RUN, tell=advances.append)
    assert advances == []
    assert stamps(tmp_path) == before


def test_another_size_has_its_measure_made_again_and_nothing_trained(tmp_path: Path) -> None:
    run_study(plan(GROUP), data(), tmp_path, run=RUN)
    before = stamps(tmp_path)
    advances: list[Advance] = []
    changed = plan(GROUP, sizes=dataclasses.replace(SIZES, noise=(0.1,)))
    run_study(changed, data(), tmp_path, run=RUN, tell=advances.append)
    assert {advance.outcome.made for advance in advances} == {("damaged",)}
    assert {name.rpartition("/")[2] for name, when in stamps(tmp_path).items() if before.get(name) != when} == {
        "damaged.json"
    }


def test_labels_that_hardly_any_row_has_are_not_classified_and_it_is_said(tmp_path: Path) -> None:
    group = {"steps": ["pretraining", "generation", "retrieval"], "models": ["pca"], "latents": [2]}
    few = data()
    rare = {
        name: dataclasses.replace(rows, labels=np.arange(len(rows)) // 2)
        for name in ("train", "valid", "test", "pool")
        if (rows := getattr(few, name))
    }
    few = dataclasses.replace(few, **rare)
    left_out = run_study(plan(group), few, tmp_path, run=RUN)
    assert any("0 labels have at least 10 rows; a classifier needs two such labels" in remark for remark in left_out)
    measures = Results.collect(plan(group), few, tmp_path).all[0].measures
    assert "pretraining" not in measures
    assert set(measures["made"].numbers["quality"]["0"]) == {"precision", "recall"}
    assert "found" in measures


def test_an_interruption_loses_the_fit_in_progress_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(advance: Advance) -> None:
        if advance.done == 2:
            monkeypatch.setattr(FeatureEncoder, "fit", interrupted)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(plan(GROUP), data(), tmp_path, run=RUN, tell=stop)
    assert len(Results.collect(plan(GROUP), data(), tmp_path).all) == 2
    assert not list(tmp_path.rglob("*.partial"))
    monkeypatch.undo()
    advances: list[Advance] = []
    run_study(plan(GROUP), data(), tmp_path, run=RUN, tell=advances.append)
    assert [advance.done for advance in advances] == [3, 4]


def test_side_by_side_gives_the_same_numbers(tmp_path: Path) -> None:
    twice = {"steps": ["structure"], "models": ["deep"], "latents": [2]}
    for jobs in (1, 2):
        run_study(plan(GROUP, twice), data(), tmp_path / str(jobs), run=RUN, jobs=jobs)
    numbers = [
        {
            (result.name, name): measured.numbers
            for result in Results.collect(plan(GROUP, twice), data(), tmp_path / str(jobs)).all
            for name, measured in result.measures.items()
            if name not in ("fit", "map")
        }
        for jobs in (1, 2)
    ]
    assert len(numbers[0]) == 4 * 2 + 2
    assert numbers[0] == numbers[1]


def test_the_kept_numbers_are_those_of_the_kept_encoder(tmp_path: Path) -> None:
    rows = data()
    run_study(plan(GROUP), rows, tmp_path, run=RUN)
    for work in works(plan(GROUP), rows)[0]:
        shelf = shelf_of(work.fit, rows, tmp_path)
        encoder = FeatureEncoder.load(shelf.encoder, device="cpu")
        measured = shelf.measured("error")
        assert measured is not None
        assert measured.numbers["test_rmse"] == pytest.approx(encoder.error(rows.test.features), rel=1e-6)
        assert encoder.spec == work.fit.spec


def test_a_withheld_label_is_not_learnt_from(tmp_path: Path) -> None:
    group = {"steps": ["anomaly"], "models": ["pca"], "latents": [3], "withhold": ["2"]}
    rows = data()
    run_study(plan(group), rows, tmp_path, run=RUN)
    (result,) = Results.collect(plan(group), rows, tmp_path).all
    assert result.measures["fit"].numbers["rows"] == 60
    assert result.number("withheld/auc") > 0.9  # type: ignore[operator]


def test_what_a_model_cannot_do_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    group = {"steps": ["latent"], "models": ["masked", "pca"], "latents": [3]}
    left_out = run_study(plan(group, models={"masked": {"patch": 4}}), data(), tmp_path, run=RUN)
    assert len(left_out) == 1
    assert "masked" in left_out[0]
    assert [result.fit.model for result in Results.collect(plan(group), data(), tmp_path).all] == ["pca"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run_study(plan(GROUP), data(), tmp_path, run=RUN)
    path = next(tmp_path.rglob("error.json"))
    path.write_text("{")
    with pytest.raises(ArtefactError, match=r"error\.json is damaged.*; delete .* and run the study again"):
        Results.collect(plan(GROUP), data(), tmp_path)


def test_a_shelf_gives_back_what_it_was_given(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "one")
    assert shelf.measured("a") is None
    shelf.keep("a", {"k": (1, 2)}, Measured({"x": 1.5}, {"y": np.arange(3, dtype=np.uint8)}))
    assert shelf.has("a", {"k": (1, 2)})
    assert not shelf.has("a", {"k": (1, 3)})
    measured = shelf.measured("a")
    assert measured is not None
    assert measured.numbers == {"x": 1.5}
    assert measured.arrays["y"].tolist() == [0, 1, 2]
    assert json.loads((shelf.folder / "a.json").read_text())["of"] == {"k": [1, 2]}


def test_an_interval_is_students() -> None:
    mean = Mean.of([1.0, 2.0, 4.0])
    # t of 2 degrees of freedom at 97.5 %: 4.302653; deviation 1.527525.
    assert mean.mean == pytest.approx(7 / 3)
    assert mean.half == pytest.approx(4.302653 * 1.527525 / np.sqrt(3), rel=1e-6)
    assert Mean.of([3.0]).half is None
