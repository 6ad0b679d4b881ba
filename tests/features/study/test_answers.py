"""The first screen compares what can be compared, and charts tell their lines apart."""

import json

import pytest
from scipy import stats

from recsys_ae.features import models as autoencoders
from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.answers import answers
from recsys_ae.features.study.report.charts import COLOURS, MARKERS, Line, chart
from recsys_ae.features.study.report.section_fits import style
from recsys_ae.features.study.results import Results
from tests.features.study.conftest import Done
from tests.features.study.small import data


@pytest.mark.parametrize(
    ("question", "path", "sign"),
    [
        ("Which gives rows back best with z = 3?", "error/test_rmse", 1),
        ("Whose code keeps neighbours best with z = 3?", "structure/trustworthiness", -1),
    ],
)
def test_codes_of_one_size_are_compared_where_a_larger_one_is_sure_to_win(
    done: Done, question: str, path: str, sign: int
) -> None:
    results = Results.collect(done.plan, data(), done.out)
    means = {
        model: mean.mean
        for model in ("pca", "deep", "variational")
        if (mean := results.mean(path, model=model, latent=3)) is not None
    }
    assert len(means) == 3
    best = min(means, key=lambda model: sign * means[model])
    answer = next(one for one in answers(results) if one.question == question)
    assert answer.answer == f"{best}, z = 3"


def test_the_size_that_is_enough_is_of_a_model_with_several(done: Done) -> None:
    results = Results.collect(done.plan, data(), done.out)
    asked = [one.question for one in answers(results)]
    assert "How large need the code be?" not in asked  # two sizes are no curve


def test_measures_that_go_together_are_told(done: Done) -> None:
    results = Results.collect(done.plan, data(), done.out)
    tables = json.loads(done.report.json.read_text(encoding="utf-8"))["tables"]
    assert "patterns" not in tables  # three models are too few
    shown = tables["patterns_all"]
    cases = [(model, z) for model in ("pca", "deep", "variational") for z in (2, 3)]

    def values(path: str) -> list[float]:
        means = [results.mean(path, model=model, latent=z) for model, z in cases]
        return [mean.mean for mean in means if mean is not None]

    column = next(place for place, title in enumerate(shown["columns"]) if title == "5-NN accuracy, n = 6, ±0.81")
    row = next(row for row in shown["rows"] if row[0] == "a small RMSE")
    slow = stats.pearsonr(
        stats.rankdata(values("error/test_rmse")), stats.rankdata(values("neighbours/accuracy"))
    ).statistic
    assert row[column] == pytest.approx(-slow)


def test_all_models_have_lines_of_their_own() -> None:
    names = [*autoencoders.names(), RAW]
    looks = {(COLOURS[style(one) % len(COLOURS)], MARKERS[style(one) % len(MARKERS)]) for one in names}
    assert len(looks) == len(names)


@pytest.mark.parametrize(("least", "ticks"), [(1e-3, True), (0.0, False)])
def test_an_axis_is_logarithmic_where_all_values_are_above_zero(least: float, ticks: bool) -> None:
    line = Line("a", [2, 10, 100], [least, 1.0, 70.0], [None] * 3, 0)
    picture = chart("c", [line], x="z", y="stress", caption="", log=True, log_y=True)
    assert picture is not None
    assert (">0.01</text>" in picture.svg) == ticks
    assert "mathdefault" not in picture.svg


def test_closed_forms_have_learnt_something_too(done: Done) -> None:
    written = json.loads(done.report.json.read_text(encoding="utf-8"))
    numbers = [one["measures"]["fit"]["parameters"] for one in written["fits"] if one["model"] == "pca"]
    assert numbers
    assert min(numbers) > 0


def test_what_a_network_learns_from_labels_alone_stands_beside_it(done: Done) -> None:
    rows = {row[0]: row for row in json.loads(done.report.json.read_text())["tables"]["pretraining"]["rows"]}
    assert {"deep, z = 3", "deep, z = 3, fine-tuned", "deep, z = 3, from random weights", RAW} <= set(rows)
    results = Results.collect(done.plan, data(), done.out)
    kept = results.first("untrained", model="deep", latent=3)
    assert kept is not None
    own = [one["accuracy"] for one in kept.measures["untrained"].numbers["tuned"] if one["share"] == 0.5]
    assert rows["deep, z = 3, from random weights"][2] == pytest.approx(sum(own) / len(own))
