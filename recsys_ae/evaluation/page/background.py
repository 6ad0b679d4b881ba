"""Sections of a report on models about their fits: learning curves, costs, lists of users, trials and commands."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recsys_ae.evaluation.page.contents import Contents, Listed, Model
from recsys_ae.metrics import DEFAULT, ERRORS, smaller_is_better
from recsys_ae.report.charts import Line, chart
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Section, table, there

SIDE_BY_SIDE = 5
"""Largest number of models whose lists are shown."""
TRIALS = 50
"""Largest number of trials of a search that are shown."""


def curves(contents: Contents) -> Section:
    """Return the validation metric after each epoch, of the models that are trained in epochs."""
    names = (contents.metric, *DEFAULT, *ERRORS)
    metric = next((name for name in names if any(name in model.curves for model in contents.models)), "")
    lines = []
    for style, model in enumerate(contents.models):
        points = [(x, y) for x, y in enumerate(model.curves.get(metric, ()), start=1) if not math.isnan(y)]
        lines.append(Line(model.name, [x for x, _ in points], [y for _, y in points], [None] * len(points), style))
    caption = f"{metric} on the validation users after each epoch."
    return Section(
        "curves", "Learning curves", (), (), there(chart("curves", lines, x="epoch", y=metric, caption=caption))
    )


def costs(contents: Contents) -> Section:
    """Return the time and memory of each fit."""
    columns = [
        Column("model"),
        Column("seconds", "Duration of the fit", "low", 1),
        Column("MiB", "Memory that the fit needs, estimated before it", "low", 1),
        Column("settings", "Hyper-parameters that differ from the defaults"),
    ]
    rows = [
        (
            model.name,
            [model.seconds, None if model.memory is None else model.memory / 2**20, model.settings or "defaults"],
        )
        for model in contents.models
        if model.seconds is not None or model.memory is not None
    ]
    return Section("costs", "Time and memory", (), there(table("costs", "Fit of each model", columns, rows)))


def lists(contents: Contents) -> Section:
    """Return the lists of a few users side by side."""
    shown = _shown(contents)
    n_more = sum(any(model.lists) for model in contents.models) - len(shown)
    said = (f"The JSON file has the lists of {n_more} more models.",) if n_more else ()
    tables = []
    for place, user in enumerate(contents.users if shown else ()):
        columns = [Column("rank"), *(Column(model.name) for model in shown)]
        longest = max(len(model.lists[place]) for model in shown)
        rows = [(str(rank + 1), [_item(model.lists[place], rank) for model in shown]) for rank in range(longest)]
        caption = f"User {user.name}, whose history is {_some(user.history)}. ✓ marks what this user chose later."
        tables.append(table(f"lists_{place}", caption, columns, rows))
    return Section("lists", "Lists of some users", said, there(*tables))


def _shown(contents: Contents) -> list[Model]:
    """Return the models whose lists are shown: that to use, the baseline, and the best others."""
    first = (contents.chosen, contents.board.baseline)
    listed = [model for model in contents.models if any(model.lists)]
    kept = sorted(listed, key=lambda model: model.name not in first)[:SIDE_BY_SIDE]
    return [model for model in listed if model in kept]


def _item(items: Sequence[Listed], rank: int) -> str | None:
    if rank >= len(items):
        return None
    return f"{items[rank].title} ✓" if items[rank].is_hit else items[rank].title


def _some(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - 3:,} more" if len(titles) > 3 else ""
    return f"{', '.join(titles[:3])}{more}" if titles else "empty"


def searches(contents: Contents) -> Section:
    """Return the trials of each search, the best ones first, and the best value over time."""
    sentences, tables, lines = [], [], []
    for place, search in enumerate(contents.searches):
        sign = 1 if smaller_is_better(search.metric) else -1
        ordered = sorted(search.trials, key=lambda trial: (trial["value"] is None, sign * (trial["value"] or 0.0)))
        sentences.append(f"{search.name}: {len(ordered):,} trials, whose {search.metric} is of the validation users.")
        if len(ordered) > TRIALS:
            sentences.append(f"The best {TRIALS} are shown; the JSON file has all.")
        columns = [
            Column("trial", "", "", 0),
            Column("model"),
            Column("settings", "Hyper-parameters that differ from the defaults"),
            Column(search.metric, "Value on the validation users; ± is half of its 95 % interval"),
            Column("seconds", "Duration of the fit and its validation", "", 1),
            Column("ended"),
        ]
        rows = [(str(trial["number"]), _trial(trial)) for trial in ordered[:TRIALS]]
        tables.append(table(f"search_{place}", f"Trials of {search.name}", columns, rows))
        lines.append(Line(search.name, *_progress(search.trials, sign), place))
    metrics = ", ".join(dict.fromkeys(search.metric for search in contents.searches))
    caption = "The best value of the search over time."
    picture = chart("search", lines, x="seconds", y=metrics, caption=caption)
    return Section("search", "Search", tuple(sentences), there(*tables), there(picture))


def _trial(trial: Mapping[str, Any]) -> list[Any]:
    settings = " ".join(f"{name}={_short(value)}" for name, value in trial["settings"].items())
    ended = f"{trial['status']}: {trial['reason']}" if trial["reason"] else str(trial["status"])
    return [trial["model"], settings or "defaults", _trial_value(trial), float(trial["seconds"]), ended]


def _trial_value(trial: Mapping[str, Any]) -> Mean | None:
    if trial["value"] is None:
        return None
    error = trial["standard_error"]
    return Mean(float(trial["value"]), None if error is None else 1.96 * float(error), 0)


def _progress(trials: Sequence[Mapping[str, Any]], sign: int) -> tuple[list[float], list[float], list[None]]:
    """Return when the best value changed, and the best value then."""
    at: list[float] = []
    best: list[float] = []
    for trial in sorted(trials, key=lambda trial: trial["elapsed"]):
        if trial["value"] is not None and (not best or sign * trial["value"] < sign * best[-1]):
            at.append(float(trial["elapsed"]))
            best.append(float(trial["value"]))
    if best:
        at.append(max(float(trial["elapsed"]) for trial in trials))
        best.append(best[-1])
    return at, best, [None] * len(at)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "/".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)


def commands(contents: Contents) -> Section:
    """Return the command that fits each model again."""
    columns = [Column("model"), Column("command", "Command that fits the model again")]
    rows = [(model.name, [model.command or None]) for model in contents.models]
    return Section("commands", "How to repeat the fits", (), there(table("commands", "Commands", columns, rows)))
