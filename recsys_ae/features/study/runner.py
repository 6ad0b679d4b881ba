"""Runner of a study, which makes and measures the fits of a plan that are not in its folder yet."""

import dataclasses
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys_ae.errors import ArtefactError, RecsysError
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.encoded import plain
from recsys_ae.features.study.eta import TimeLeft
from recsys_ae.features.study.fits import Fit, Work, works
from recsys_ae.features.study.measures import case_of, missing
from recsys_ae.features.study.plan import Plan, Sizes
from recsys_ae.features.study.rows import Part
from recsys_ae.features.study.store import FIT, Measured, Shelf
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import cpu_threads
from recsys_ae.nn.workers import Workers
from recsys_ae.spec.hyper import flatten

FITS = "fits"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a fit: its new numbers, the names of the new measures, and remarks on omitted ones."""

    work: Work
    name: str
    numbers: dict[str, Any]
    history: list[dict[str, float]]
    made: tuple[str, ...]
    remarks: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Advance:
    """The progress of a study: the latest outcome, the number of finished fits, and the estimated seconds left."""

    outcome: Outcome
    done: int
    total: int
    left: float | None


def run_study(
    plan: Plan,
    data: StudyData,
    out: Path,
    *,
    run: Run | None = None,
    jobs: int = 1,
    tell: Callable[[Advance], None] | None = None,
) -> list[str]:
    """Make the fits and measures that a folder lacks; return a sentence on each omission.

    An interruption loses the fit or measure in progress; all earlier ones are saved.

    Parameters
    ----------
    run
        Device, precision and threads of each fit; the seeds are those of the plan.
    jobs
        Number of fits that run at the same time, each in a process of its own.
    tell
        Function that is called after each fit.
    """
    run = run or Run()
    todo, left_out = works(plan, data)
    waiting = [work for work in todo if _unfinished(work, data, plan.sizes, out)]
    clock = TimeLeft(waiting, jobs)
    with closing(_outcomes(waiting, data, plan.sizes, out, run, jobs)) as outcomes:
        for outcome in outcomes:
            clock.done(outcome.work, outcome.seconds)
            left_out += [f"{outcome.name.rpartition('-')[0]}: {remark}" for remark in outcome.remarks]
            if tell is not None:
                tell(Advance(outcome, len(todo) - clock.n_left, len(todo), clock.seconds_left()))
    return list(dict.fromkeys(left_out))


def shelf_of(fit: Fit, data: StudyData, out: Path) -> Shelf:
    """Return the shelf of a fit: its folder in the folder of the study."""
    return Shelf(out / FITS / fit.name(data))


def do(work: Work, data: StudyData, sizes: Sizes, out: Path, run: Run) -> Outcome:
    """Train a fit unless it is saved, and make the measures that are missing."""
    started = time.perf_counter()
    fit, shelf = work.fit, shelf_of(work.fit, data, out)
    new_measures, remarks = [], []
    history: list[dict[str, float]] = []
    try:
        if not shelf.has(FIT, fit.identity):
            history = _train(fit, data, shelf, run)
            new_measures.append(FIT)
        todo = list(missing(work, data, sizes, shelf))
        if todo:
            with cpu_threads(run.threads):
                case = case_of(fit, data, sizes, shelf, run.device)
                for name, measure, of in todo:
                    try:
                        shelf.keep(name, of, measure.make(case))
                        new_measures.append(name)
                    except ArtefactError:
                        raise
                    except RecsysError as error:
                        remarks.append(f"{name}: {error}")
    except ArtefactError:
        raise  # a file that cannot be written, or is damaged, stops the study
    except RecsysError as error:
        remarks.append(str(error))
    numbers = {name: measured.numbers for name in new_measures if (measured := shelf.measured(name)) is not None}
    seconds = time.perf_counter() - started
    return Outcome(work, shelf.folder.name, numbers, history, tuple(new_measures), tuple(remarks), seconds)


def _unfinished(work: Work, data: StudyData, sizes: Sizes, out: Path) -> bool:
    shelf = shelf_of(work.fit, data, out)
    return not shelf.has(FIT, work.fit.identity) or any(True for _ in missing(work, data, sizes, shelf))


def _train(fit: Fit, data: StudyData, shelf: Shelf, run: Run) -> list[dict[str, float]]:
    """Fit and save an encoder; return the history of the training."""
    if fit.spec is None:
        shelf.keep(FIT, fit.identity, Measured({"model": fit.model, "latent": fit.latent}))
        return []
    rows = data.seen_by(type(fit.spec).reads)
    train, valid = (_without(subset, fit.withheld) for subset in (rows.train, rows.valid))
    clock = time.process_time()
    encoder = FeatureEncoder(fit.spec)
    encoder.fit(train.features, valid=valid.features, run=dataclasses.replace(run, seed=fit.seed))
    cpu = time.process_time() - clock
    encoder.save(shelf.encoder, overwrite=True)
    numbers = {
        "model": fit.model,
        "latent": fit.latent,
        "seed": fit.seed,
        "layers": fit.layers,
        "withheld": fit.withheld,
        "spec": flatten(fit.spec),
        "parameters": _learnt(encoder),
        "epochs": len(encoder.history),
        "cpu_seconds": round(cpu, 3),
        **{name: encoder.metadata[name] for name in ("rows", "seconds", "device", "threads", "versions")},
        "valid": [epoch.get("valid/rmse") for epoch in encoder.history],
    }
    shelf.keep(FIT, fit.identity, Measured(plain(numbers)))
    return encoder.history


def _learnt(encoder: FeatureEncoder) -> int:
    """Return the number of learnt parameters; a closed form has them in buffers."""
    network = encoder.network
    return sum(tensor.numel() for tensor in list(network.parameters()) or network.buffers())


def _without(rows: Part, label: str) -> Part:
    if not label or rows.labels is None:
        return rows
    return rows.take(np.flatnonzero(rows.told != label))


def _outcomes(
    waiting: Sequence[Work], data: StudyData, sizes: Sizes, out: Path, run: Run, jobs: int
) -> Generator[Outcome]:
    if jobs == 1 or len(waiting) < 2:
        for work in waiting:
            yield do(work, data, sizes, out, run)
        return
    with Workers(min(jobs, len(waiting)), _prepare, (data, sizes, out, run)) as workers:
        todo = list(waiting)
        running: dict[Future[Outcome], Work] = {}
        while todo or running:
            # Only running fits are submitted, so that an interruption leaves the others undone.
            while len(running) < jobs and (following := _startable(todo, running.values())) is not None:
                todo.remove(following)
                running[workers.submit(_do_next, following)] = following
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                yield workers.result(future)


def _startable(todo: Sequence[Work], running: Iterable[Work]) -> Work | None:
    """Return the next fit that no worker is making for another step; None if there is none."""
    busy = [work.fit for work in running]
    return next((work for work in todo if work.fit not in busy), None)


_own: dict[str, Any] = {}
"""Arguments of `do` that are the same for all fits of a worker process."""


def _prepare(data: StudyData, sizes: Sizes, out: Path, run: Run) -> None:
    """Keep the arguments of this worker process."""
    _own.update(data=data, sizes=sizes, out=out, run=run)


def _do_next(work: Work) -> Outcome:
    return do(work, **_own)
