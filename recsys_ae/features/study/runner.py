"""Make the fits of a plan, measure them and keep both; what is kept already is not made again."""

import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
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
from recsys_ae.spec.hyper import flatten

FITS = "fits"


@dataclass(frozen=True)
class Outcome:
    """What became of a fit: its numbers, which parts were made now, what was left out and why."""

    work: Work
    name: str
    numbers: dict[str, Any]
    history: list[dict[str, float]]
    made: tuple[str, ...]
    remarks: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Advance:
    """How far a study is: the fit that has just been done, how many are, and the seconds that are left."""

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
    """Make what is missing in a folder; return what was left out, and why: sentences.

    An interruption loses the fit or measure in progress; everything before it is on the disk.

    Parameters
    ----------
    run
        Device, precision and threads of each fit; the plan says the seeds.
    jobs
        How many fits are made side by side, each in a process of its own.
    tell
        Told of every fit that is done.
    """
    run = run or Run()
    todo, left_out = works(plan, data)
    waiting = [work for work in todo if _unfinished(work, data, plan.sizes, out)]
    clock = TimeLeft(waiting, jobs)
    for outcome in _outcomes(waiting, data, plan.sizes, out, run, jobs):
        clock.done(outcome.work, outcome.seconds)
        left_out += [f"{outcome.name.rpartition('-')[0]}: {one}" for one in outcome.remarks]
        if tell is not None:
            tell(Advance(outcome, len(todo) - clock.n_left, len(todo), clock.seconds_left()))
    return list(dict.fromkeys(left_out))


def shelf_of(fit: Fit, data: StudyData, out: Path) -> Shelf:
    """Return where a fit is kept."""
    return Shelf(out / FITS / fit.name(data))


def do(work: Work, data: StudyData, sizes: Sizes, out: Path, run: Run) -> Outcome:
    """Train a fit unless it is kept, and make the measures that are missing."""
    started = time.perf_counter()
    fit, shelf = work.fit, shelf_of(work.fit, data, out)
    made, remarks = [], []
    history: list[dict[str, float]] = []
    try:
        if not shelf.has(FIT, fit.identity):
            history = _train(fit, data, shelf, run)
            made.append(FIT)
        todo = list(missing(work, data, sizes, shelf))
        if todo:
            with cpu_threads(run.threads):
                case = case_of(fit, data, sizes, shelf, run.device)
                for name, measure, of in todo:
                    try:
                        shelf.keep(name, of, measure.make(case))
                        made.append(name)
                    except ArtefactError:
                        raise
                    except RecsysError as error:
                        remarks.append(f"{name}: {error}")
    except ArtefactError:
        raise  # what cannot be kept, or is damaged, stops the study
    except RecsysError as error:
        remarks.append(str(error))
    numbers = {name: one.numbers for name in made if (one := shelf.measured(name)) is not None}
    seconds = time.perf_counter() - started
    return Outcome(work, shelf.folder.name, numbers, history, tuple(made), tuple(remarks), seconds)


def _unfinished(work: Work, data: StudyData, sizes: Sizes, out: Path) -> bool:
    shelf = shelf_of(work.fit, data, out)
    return not shelf.has(FIT, work.fit.identity) or any(True for _ in missing(work, data, sizes, shelf))


def _train(fit: Fit, data: StudyData, shelf: Shelf, run: Run) -> list[dict[str, float]]:
    """Fit and save an encoder; return the course of the training."""
    if fit.spec is None:
        shelf.keep(FIT, fit.identity, Measured({"model": fit.model, "latent": fit.latent}))
        return []
    rows = data.seen_by(type(fit.spec).reads)
    train, valid = (_without(part, fit.withheld) for part in (rows.train, rows.valid))
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
    """Return how many numbers were learnt; a closed form keeps them as buffers."""
    network = encoder.network
    return sum(one.numel() for one in list(network.parameters()) or network.buffers())


def _without(part: Part, label: str) -> Part:
    if not label or part.labels is None:
        return part
    return part.take(np.flatnonzero(part.told != label))


def _outcomes(
    waiting: Sequence[Work], data: StudyData, sizes: Sizes, out: Path, run: Run, jobs: int
) -> Iterator[Outcome]:
    if jobs == 1 or len(waiting) < 2:
        for work in waiting:
            yield do(work, data, sizes, out, run)
        return
    # A forked process could inherit a lock of PyTorch's threads that nobody will open.
    with ProcessPoolExecutor(
        min(jobs, len(waiting)), get_context("spawn"), _prepare, (data, sizes, out, run)
    ) as workers:
        todo = list(waiting)
        running: dict[Future[Outcome], Work] = {}
        try:
            while todo or running:
                # One at a time, so that what is not begun can be left.
                while len(running) < jobs and (following := _startable(todo, running.values())) is not None:
                    todo.remove(following)
                    running[workers.submit(_do_next, following)] = following
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def _startable(todo: Sequence[Work], running: Iterable[Work]) -> Work | None:
    """Return the first fit that no worker is busy with for another step."""
    busy = [work.fit for work in running]
    return next((work for work in todo if work.fit not in busy), None)


_own: dict[str, Any] = {}


def _prepare(data: StudyData, sizes: Sizes, out: Path, run: Run) -> None:
    """Give a worker what all fits need; Ctrl-C ends it without a word, since the first process has the last one."""
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    _own.update(data=data, sizes=sizes, out=out, run=run)


def _do_next(work: Work) -> Outcome:
    return do(work, **_own)
