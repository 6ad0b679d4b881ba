"""``recsys-ae study``: a comparison of autoencoders on features, with a report."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import memory, options
from ..display import Display, duration, note
from ..framework import Option, Positional, as_command, on_interruption
from ..mlflow_runs import Tracking
from ..param_types import FILE, Names, Numbers, Whole
from ..training import command_line

if TYPE_CHECKING:
    from recsys_ae.features.study.data import StudyData
    from recsys_ae.features.study.plan import Plan
    from recsys_ae.features.study.runner import Advance

STUDY = "Study"


def _options() -> list[click.Parameter]:
    data = f"Features: {options.FEATURE_SOURCES}  [default: the data of the plan]"
    unlike = "Features from elsewhere with the same columns, for the step unlike. Repeat the option for more."
    label = "Column of the labels; labels of images are read from the file next to them."
    steps = "Steps of the study, separated by commas: 1 to 8, names such as structure, or `tasks`.  [default: all]"
    models = "Autoencoders to fit, separated by commas; `raw` is the features themselves.  [default: those of the plan]"
    latents = "Sizes of the code, separated by commas.  [default: those of the plan]"
    seeds = "Random seeds of the training, separated by commas.  [default: those of the plan]"
    out = "Folder of fits, report.html, report.json and figures; a study in it is continued.  [default: studies/<data>]"
    jobs = "Number of fits at the same time; use --threads 1 to give each of them one core."
    numbers = Numbers(click.INT)
    return [
        Positional("config", metavar="[CONFIG.toml]", type=FILE, required=False,
                   summary="TOML file with the plan of the study.  [default: a preset]"),
        Option(["--preset"], type=click.Choice(["quick", "paper"]), section=STUDY,
               help="Plan that comes with the package.  [default: quick]"),
        Option(["--data"], metavar="FILE|NAME[:COLUMNS]", section=options.FEATURES, help=data),
        Option(["--labels"], metavar="COLUMN", section=options.FEATURES, help=label),
        Option(["--unlike"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=options.FEATURES, help=unlike),
        *options.features()[1:],
        Option(["--models"], type=Names(), metavar="NAME,...", section=STUDY, help=models),
        Option(["--latents"], type=numbers, metavar="NUMBER,...", section=STUDY, help=latents),
        Option(["--seeds"], type=numbers, metavar="NUMBER,...", section=STUDY, help=seeds),
        Option(["--steps"], type=Names(), metavar="STEP,...", section=STUDY, help=steps),
        Option(["--out"], type=FILE, metavar="DIR", section=STUDY, help=out),
        Option(["--dry-run"], is_flag=True, section=STUDY, help="List the fits without running them."),
        Option(["--report-only"], is_flag=True, section=STUDY,
               help="Write the report on the finished fits, without fitting."),
        Option(["--jobs"], type=Whole(1), default=1, show_default=True, section=options.RUN, help=jobs),
        *options.machine(of_each=True),
        options.track("Track the study in MLflow, with a run for each fit in it: $MLFLOW_TRACKING_URI, else mlflow.db "
                      "in this folder."),
        options.quiet(),
    ]  # fmt: skip


@as_command("study", _options())
def command(**settings: Any) -> None:
    """Compare autoencoders on features, and write a report.

    The steps are 1 models, 2 architecture, 3 latent, 4 reconstruction, 5 structure, 6 unlike, 7 generation, 8 summary;
    the tasks are reduction, denoising, retrieval, pretraining, anomaly and augmentation. Finished fits are saved: the
    same command continues a study that was stopped.
    """
    memory.thrifty()
    plan, source = _plan(settings), _source(settings)
    out = settings["out"] or Path("studies") / Path(plan.data.partition(":")[0]).stem
    _study(plan, source, out, settings)


def _plan(settings: Mapping[str, Any]) -> "Plan":
    import dataclasses  # noqa: PLC0415

    from recsys_ae.features.study.plan import Plan  # noqa: PLC0415

    if settings["config"] is not None and settings["preset"] is not None:
        raise click.UsageError("give CONFIG.toml or --preset, not both", click.get_current_context())
    plan = Plan.preset(settings["preset"] or "quick") if settings["config"] is None else Plan.read(settings["config"])
    if settings["data"] is not None and settings["data"] != plan.data:
        # Labels and unlike features of the plan belong to the plan's own data only.
        plan = dataclasses.replace(plan, data=settings["data"], labels=None, unlike=())
    if settings["labels"] is not None:
        plan = dataclasses.replace(plan, labels=settings["labels"])
    if settings["unlike"]:
        plan = dataclasses.replace(plan, unlike=settings["unlike"])
    return plan.narrowed(
        steps=settings["steps"] or (),
        models=settings["models"] or (),
        latents=settings["latents"] or (),
        seeds=settings["seeds"] or (),
    )


def _source(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"data_dir": settings["data_dir"], "id": settings["id_column"], "texts": settings["text_columns"] or ()}


def _study(plan: "Plan", source: Mapping[str, Any], out: Path, settings: Mapping[str, Any]) -> None:
    from recsys_ae.features.study import folder  # noqa: PLC0415
    from recsys_ae.features.study.data import StudyData  # noqa: PLC0415
    from recsys_ae.features.study.fits import works  # noqa: PLC0415
    from recsys_ae.features.study.report import write_report  # noqa: PLC0415
    from recsys_ae.features.study.runner import run_study  # noqa: PLC0415
    from recsys_ae.nn.runtime import Run, resolve  # noqa: PLC0415

    display = Display(quiet=settings["quiet"])
    resolve(settings["device"])
    folder.refuse_foreign(out)
    data = StudyData.read(
        plan.data, labels=plan.labels, unlike=plan.unlike, sizes=plan.sizes,
        data_dir=source["data_dir"], id=source["id"], texts=source["texts"],
    )  # fmt: skip
    _show_data(display, plan, data)
    if settings["dry_run"]:
        _show_fits(display, plan, data)
        return
    run = Run(**{name: settings[name] for name in ("device", "precision", "deterministic", "threads")})
    left_out: list[str] = list(data.remarks)
    command = command_line()
    if not settings["report_only"]:
        folder.begin(out, plan, command)
        on_interruption(f"the finished fits are saved in {out}; the same command continues the study")
        with Tracking.of_fit(on=settings["track"], name=f"study of {plan.data}") as tracking:
            tracking.tracker.parameters({"study": plan.title, "data": plan.data, "steps": list(plan.steps)})
            left_out += run_study(
                plan, data, out, run=run, jobs=settings["jobs"], tell=lambda advance: _tell(display, tracking, advance)
            )
            report = write_report(plan, data, out, command=command, left_out=left_out)
            tracking.study(report)
        tracking.warn()
    else:
        made_by = folder.asked(out)
        if made_by is None:
            raise click.UsageError(f"--report-only: there is no study in {out}", click.get_current_context())
        left_out += works(plan, data)[1]
        report = write_report(plan, data, out, command=made_by, left_out=left_out)
    on_interruption(f"the report is saved in {report.html}")
    for remark in dict.fromkeys(left_out):
        note(f"Note: {remark}")
    display.line()
    display.pairs([("report", report.html), ("data", report.json), ("figures", report.figures), ("repeat", command)])


def _show_data(display: Display, plan: "Plan", data: "StudyData") -> None:
    n_labels = len(data.labels)
    display.line(f"{plan.title}: {plan.data}")
    display.line(
        f"{len(data.train):,} rows of {data.train.features.width:,} columns for training, {len(data.valid):,} for "
        f"validation, {len(data.test):,} for testing; {f'{n_labels:,}' if n_labels else 'no'} labels"
    )


def _show_fits(display: Display, plan: "Plan", data: "StudyData") -> None:
    from recsys_ae.features.study.fits import works  # noqa: PLC0415

    todo, left_out = works(plan, data)
    display.table(
        ["model", ">code", ">seed", ">layers", "withheld label", "steps"],
        [
            [work.fit.model, work.fit.latent, work.fit.seed, work.fit.layers, work.fit.withheld, ", ".join(work.steps)]
            for work in todo
        ],
    )
    display.line(f"\n{len(todo):,} fits. Dry run: nothing was trained or saved.")
    for remark in (*data.remarks, *left_out):
        note(f"Note: {remark}")


def _tell(display: Display, tracking: Tracking, advance: "Advance") -> None:
    outcome = advance.outcome
    fit = outcome.work.fit
    words = [f"[{advance.done:>{len(str(advance.total))}}/{advance.total}]", fit.model, f"z={fit.latent}"]
    words += [f"layers={fit.layers}"] if "architecture" in outcome.work.steps and fit.layers is not None else []
    words += [f"without {fit.withheld}"] if fit.withheld else []
    words += [f"seed {fit.seed}"]
    rmse = outcome.numbers.get("error", {}).get("test_rmse")
    words += [f"rmse {rmse:.4f}"] if rmse is not None else []
    words += [f"{outcome.seconds:.1f} s", f"{duration(advance.left)} left" if advance.done < advance.total else ""]
    display.line(" ".join(words).rstrip())
    tracking.child(outcome)
