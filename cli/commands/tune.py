"""``recsys-ae tune``: a search for the best model and its settings within a given time."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import feature_source, memory, options
from ..data_options import load
from ..display import Display, duration
from ..framework import Option, as_command, on_interruption, wrong_usage
from ..mlflow_runs import Tracking, log_data, refuse_register
from ..param_types import FILE, NONE, Names, Whole
from ..report import show_data
from ..training import command_line, run_settings
from ._tuned import BEST, show_tuned

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.data.splits.split import Split
    from recsys_ae.nn.runtime import Run
    from recsys_ae.tuning.result import Tuned
    from recsys_ae.tuning.search import Advance, Watch
    from recsys_ae.tuning.trial import Trial

SEARCH = "Search"


def _options() -> list[click.Parameter]:
    models = "Models to search, separated by commas; or `linear`, `neural` or `all`.  [default: the best on some data]"
    budget = "Time of the whole search, such as 90s, 10m or 1h30m.  [default: 10m; none with --trials]"
    trials = "Number of trials after which the search ends."
    metric = "Metric on the validation users that is searched by.  [default: ndcg@100; rmse with --split ratings]"
    ranges = (
        "TOML file that overrides ranges or freezes values: a table for each model with entries such as l2 = {low = 1, "
        "high = 9} or l2 = 5."
    )
    jobs = "Number of fits at the same time; use --threads 1 to give each of them one core."
    out = "Folder of the search and its models; a search in it is continued.  [default: tuning/<data>]"
    blend = "Also blend the best few models, with weights chosen on the validation users."
    refit = "Also fit the winner, or the blend if it is better, on all users, in DIR/refit."
    return [
        options.data(),
        options.data_dir(),
        options.cache(),
        *options.columns(),
        options.item_features(),
        *options.filters(),
        *options.splits(),
        Option(["--models"], type=Names(), metavar="NAME,...", section=SEARCH, help=models),
        Option(["--budget"], metavar="TIME", section=SEARCH, help=budget),
        Option(["--trials"], type=Whole(1), section=SEARCH, help=trials),
        Option(["--metric"], metavar="METRIC", section=SEARCH, help=metric),
        Option(["--ranges"], type=FILE, metavar="FILE", section=SEARCH, help=ranges),
        Option(["--blend"], is_flag=True, section=SEARCH, help=blend),
        Option(["--refit"], is_flag=True, section=SEARCH, help=refit),
        Option(["--jobs"], type=Whole(1), default=1, show_default=True, section=options.RUN, help=jobs),
        Option(["--seed"], type=Whole(0, 2**63 - 1), default=0, show_default=True, section=options.RUN,
               help="Random seed of the search and of all fits."),
        *options.machine(of_each=True),
        Option(["--out"], type=FILE, metavar="DIR", section=options.RUN, help=out),
        options.track("Track the search in MLflow, a run for each trial in it: $MLFLOW_TRACKING_URI, else mlflow.db "
                      "in this folder."),
        options.register(),
        options.quiet(),
    ]  # fmt: skip


@as_command("tune", _options())
def command(**settings: Any) -> None:
    """Find the best model and its settings within a given time.

    The defaults of all models come first, the cheapest first, so that the result is never worse than they are. Then the
    time goes to the models that may still win: trials that are worse than earlier ones on the same users and after as
    many epochs end early. If the winner is not trained in epochs, its best few settings are compared once more, on
    training users who are held out in turn. The test users are looked at once, at the end. Finished trials are saved:
    the same command continues a search that was stopped.
    """
    began = time.monotonic()
    memory.thrifty()
    _refuse_wrong_numbers(settings)
    refuse_register(settings)
    run, display = run_settings(settings), Display(quiet=settings["quiet"])
    recipe = _recipe(settings)
    out = settings["out"] or Path("tuning") / recipe.title
    prepared = recipe.read(load(recipe, cache=settings["cache"]))
    split = prepared.split()
    show_data(display, prepared, split)
    with Tracking.of_fit(on=settings["track"], name=out.name) as tracking:
        tracking.tracker.parameters({"search": command_line(), "split_fingerprint": split.fingerprint})
        log_data(tracking.tracker, split.train)
        on_interruption(f"the finished trials are saved in {out}; the same command continues the search")
        result = _search(settings, split, run, out, _watch(display, tracking, began, _metric(settings)))
        best = show_tuned(display, result, out, _notes(settings, prepared, tracking), prepared.items)
        tracking.tracker.metrics({f"valid/{result.metric}": result.best.value or 0.0})
        tracking.tracker.artefact(out / BEST)
        if settings["register"] is not None:
            tracking.register(best, settings["register"])
    tracking.warn(settings["register"])


def _refuse_wrong_numbers(settings: Mapping[str, Any]) -> None:
    """Raise usage errors before anything is read."""
    from recsys_ae.metrics import parse  # noqa: PLC0415
    from recsys_ae.tuning.budget import seconds_of  # noqa: PLC0415

    with wrong_usage():
        if settings["budget"] is not None:
            seconds_of(settings["budget"])
        if settings["metric"] is not None:
            parse(settings["metric"])


def _recipe(settings: Mapping[str, Any]) -> "DataRecipe":
    from recsys_ae.data.recipe import DataRecipe  # noqa: PLC0415

    is_rated = settings["split"] == "ratings"
    return DataRecipe.from_options({**settings, "min_rating": NONE} if is_rated else dict(settings))


def _metric(settings: Mapping[str, Any]) -> str:
    usual = "rmse" if settings["split"] == "ratings" else "ndcg@100"
    return settings["metric"] or usual


def _search(
    settings: Mapping[str, Any],
    split: "Split",
    run: "Run",
    out: Path,
    watch: "Watch",
) -> "Tuned":
    from recsys_ae.tuning import tune  # noqa: PLC0415

    names = settings["item_features"]
    with wrong_usage():
        return tune(
            split,
            models=settings["models"],
            budget=settings["budget"],
            trials=settings["trials"],
            metric=_metric(settings),
            item_features=feature_source.read_all(names, settings["data_dir"]) if names else None,
            ranges=settings["ranges"],
            blend=settings["blend"],
            refit=settings["refit"],
            jobs=settings["jobs"],
            run=run,
            out=out,
            watch=watch,
        )


def _watch(display: Display, tracking: Tracking, began: float, metric: str) -> "Watch":
    """Return the receiver that prints a line per trial and tracks it."""
    from recsys_ae.tuning.result import defaults_table, with_interval  # noqa: PLC0415
    from recsys_ae.tuning.search import Watch  # noqa: PLC0415

    class Printed(Watch):
        def ended(self, advance: "Advance") -> None:
            trial, best = advance.trial, advance.best
            value = "no value" if trial.value is None else f"{trial.value:.4f}"
            words = [f"[{_count(advance)}] {value}", trial.text(), f"{trial.seconds:.1f} s"]
            words += [f"{trial.status}: {trial.reason}"] if trial.reason else []
            words += [] if best is None else [f"best {with_interval(best)} {best.model}"]
            words += [] if advance.left is None else [f"{duration(max(0.0, advance.left))} left"]
            display.line(" | ".join(words))
            tracking.trial(trial)

        def first_table(self, trials: "Sequence[Trial]") -> None:
            display.line(f"\nDefaults of the quick models after {duration(time.monotonic() - began)}:")
            display.table(*defaults_table(trials, metric))
            display.line()

    return Printed(began)


def _count(advance: "Advance") -> str:
    """Return the number of the trials so far, and the planned one."""
    done, planned = advance.n_trials
    return f"{done}" if planned is None else f"{done}/{planned}"


def _notes(settings: Mapping[str, Any], prepared: "Prepared", tracking: Tracking) -> dict[str, Any]:
    """Return what the notes of a saved model say besides its data recipe."""
    values = {**settings, **prepared.recipe.as_json()}
    return {
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in sorted(values.items())},
        "command": command_line(),
        "mlflow": tracking.address,
    }
