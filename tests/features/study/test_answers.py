"""Tests of the answers at the top of the report, of correlations between measures, and of charts."""

import json

import pytest
from scipy import stats

from recsys_ae.features import models as autoencoders
from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.answers import _comparison, answers
from recsys_ae.features.study.report.section_fits import style
from recsys_ae.features.study.results import Mean, Results
from recsys_ae.report.charts import COLOURS, MARKERS, Line, chart
from tests.features.study.conftest import Done
from tests.features.study.small import data


@pytest.mark.parametrize(
    ("question", "path", "sign"),
    [
        ("Which model reconstructs rows best with z = 3?", "error/test_rmse", 1),
        ("Which code preserves neighbours best with z = 3?", "structure/trustworthiness", -1),
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
    answer = next(answer for answer in answers(results) if answer.question == question)
    assert answer.answer == f"{best}, z = 3"


def test_the_size_that_is_enough_is_of_a_model_with_several(done: Done) -> None:
    results = Results.collect(done.plan, data(), done.out)
    questions = [answer.question for answer in answers(results)]
    assert questions
    assert "How large does the code need to be?" not in questions  # two sizes are no curve


def test_measures_that_go_together_are_told(done: Done) -> None:
    results = Results.collect(done.plan, data(), done.out)
    tables = json.loads(done.report.json.read_text(encoding="utf-8"))["tables"]
    assert "patterns" not in tables  # three models are too few
    shown = tables["patterns_all"]
    cases = [(model, z) for model in ("pca", "deep", "variational") for z in (2, 3)]

    def values(path: str) -> list[float]:
        means = [results.mean(path, model=model, latent=z) for model, z in cases]
        return [mean.mean for mean in means if mean is not None]

    column = shown["columns"].index("5-NN accuracy, n = 6, ±0.81")
    row = next(row for row in shown["rows"] if row[0] == "small RMSE")
    slow = stats.pearsonr(
        stats.rankdata(values("error/test_rmse")), stats.rankdata(values("neighbours/accuracy"))
    ).statistic
    assert row[column] == pytest.approx(-slow)


def test_all_models_have_lines_of_their_own() -> None:
    names = [*autoencoders.names(), RAW]
    looks = {(COLOURS[style(name) % len(COLOURS)], MARKERS[style(name) % len(MARKERS)]) for name in names}
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
    numbers = [fit["measures"]["fit"]["parameters"] for fit in written["fits"] if fit["model"] == "pca"]
    assert numbers
    assert min(numbers) > 0


def test_what_a_network_learns_from_labels_alone_stands_beside_it(done: Done) -> None:
    rows = {row[0]: row for row in json.loads(done.report.json.read_text())["tables"]["pretraining"]["rows"]}
    assert {"deep, z = 3", "deep, z = 3, fine-tuned", "deep, z = 3, from random weights", RAW} <= set(rows)
    results = Results.collect(done.plan, data(), done.out)
    result = results.first("untrained", model="deep", latent=3)
    assert result is not None
    accuracies = [row["accuracy"] for row in result.measures["untrained"].numbers["tuned"] if row["share"] == 0.5]
    assert rows["deep, z = 3, from random weights"][2] == pytest.approx(sum(accuracies) / len(accuracies))


def test_an_answer_is_compared_with_its_baseline_in_a_sentence() -> None:
    means = Mean(0.0802, 0.001, 3), Mean(0.1185, None, 1)
    sentence = _comparison("RMSE", *means, "pca", 40, 4)
    assert sentence == "The RMSE of pca with z = 40 is 0.1185; the difference is −32.3 %."
    means = Mean(0.5, None, 1), Mean(0.0, None, 1)
    assert _comparison("mAP", *means, RAW, 40, 3) == "The mAP of the features themselves is 0.000."
