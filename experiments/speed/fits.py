"""Timing of fits, interleaved with fits of a dense yardstick or of the package implicit."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from timing import REPEATS, EnoughError, Laps, ratio, seconds_of
from yardstick import Yardstick
from yardstick import memory as yardstick_memory

from recsys_ae import Interactions, Recommender, Run
from recsys_ae.models._implicit import one_blas_thread
from recsys_ae.nn.runtime import free_memory
from recsys_ae.nn.training.model import TrainableSpec

PATIENCE = 5  # a fit that cannot be stopped starts only if its bound is at most this many times the seconds of a row
FEW = 2_000  # users of a fit for which only the model's size matters
SEED = 0


def sample(train: Interactions, n: int, seed: int = SEED) -> Interactions:
    """Return ``n`` users drawn at random, or all users in their order if there are no more than ``n``."""
    if n >= train.shape[0]:
        return train
    return train.select_users(np.random.default_rng(seed).choice(train.shape[0], n, replace=False))


def yardstick(spec: Any, matrix: csr_matrix, device: torch.device) -> Yardstick | None:
    """Return the dense PyTorch form of a model; None if it has none, or one too large for the memory."""
    if spec.name() not in ("mult_vae", "mult_dae"):
        return None
    free = free_memory(device)
    if free is not None and yardstick_memory(matrix.shape[1], spec.hidden, spec.latent, spec.batch_size) > free:
        return None
    return Yardstick(
        matrix,
        spec.hidden,
        spec.latent,
        variational=spec.name() == "mult_vae",
        batch_size=spec.batch_size,
        device=device,
    )


def by_gradient(
    spec: TrainableSpec, train: Interactions, run: Run, budget: float
) -> tuple[Recommender, dict[str, Any]]:
    """Time passes over all users, or over as many as the seconds allow, interleaved with passes of the yardstick.

    A lap is one pass. For RecVAE it is a whole cycle: three passes for its encoder and one for its decoder.
    """
    device = run.torch_device
    cycle = getattr(spec, "encoder_epochs", 1) + getattr(spec, "decoder_epochs", 0)
    probe, users = Laps(device, cycle), sample(train, spec.batch_size)
    passes(spec, 2 * cycle, users, run, probe)
    rival = yardstick(spec, users.matrix, device)
    taken = probe.seconds[0] * (3 if rival else 1)  # the yardstick is slower than our fit
    users = sample(train, spec.batch_size * max(1, int(budget / ((REPEATS + 1) * taken))))
    theirs: list[float] = []
    if rival is not None:
        rival.matrix = users.matrix
    laps = Laps(device, cycle, between=rival and (lambda: theirs.append(seconds_of(rival.epoch, device))))
    model = passes(spec, cycle * (REPEATS + 1), users, run, laps)
    share = users.shape[0] / train.shape[0]
    ours, theirs = ([seconds / share for seconds in times] for times in (laps.seconds, theirs[1:]))
    seconds = statistics.median(ours) / cycle
    timings: dict[str, Any] = {"seconds_per_epoch": seconds, "rows_per_second": train.shape[0] / seconds}
    timings |= {"rows_timed": users.shape[0], "fit_seconds": seconds * spec.epochs, "fit_extrapolated": True}
    if rival is not None:
        timings["yardstick"] = {
            "seconds_per_epoch": statistics.median(theirs),
            "ratio": ratio(ours, theirs),
        }
    return model, timings


def passes(spec: TrainableSpec, epochs: int, train: Interactions, run: Run, laps: Laps) -> Recommender:
    """Fit for a number of epochs; ``laps`` times them."""
    spec = dataclasses.replace(spec, epochs=epochs)
    return Recommender(spec).fit(train, run=dataclasses.replace(run, progress=laps))


def whole(spec: Any, train: Interactions, run: Run, budget: float) -> tuple[Recommender, dict[str, Any]]:
    """Time complete fits, interleaved with fits by implicit itself if the model uses it.

    A fit that reports its iterations stops when the seconds are over, and its time is extrapolated. Then implicit runs
    for the same number of iterations.
    """
    rival, device = _implicit(spec, train.matrix, run), run.torch_device
    ours: list[float] = []
    theirs: list[float] = []
    model, laps, until = Recommender(spec), Laps(device), time.perf_counter() + budget
    while len(ours) < REPEATS and (not ours or time.perf_counter() < until):
        laps = Laps(device, limit=budget)
        try:
            model = Recommender(spec).fit(train, run=dataclasses.replace(run, progress=laps))
        except EnoughError:
            break
        ours.append(model.metadata["seconds"])
        if rival is not None:
            theirs.append(seconds_of(partial(rival, spec.iterations), device))
    timings: dict[str, Any] = _iterations(laps, train)
    if ours:
        timings |= {"fit_seconds": statistics.median(ours), "fit_extrapolated": False}
    else:
        iterations = 1 + len(laps.seconds)
        ours = [laps.first + sum(laps.seconds)]
        theirs = [] if rival is None else [seconds_of(partial(rival, iterations), device)]
        remaining = (spec.iterations - iterations) * statistics.median(laps.seconds)
        timings |= {"fit_seconds": ours[0] + remaining, "fit_extrapolated": remaining > 0}
        model = Recommender(dataclasses.replace(spec, iterations=1)).fit(sample(train, FEW), run=run)
    if theirs:
        timings["implicit"] = {
            "fit_seconds": statistics.median(theirs),
            "ratio": ratio(ours, theirs),
        }
    return model, timings


def _iterations(laps: Laps, train: Interactions) -> dict[str, float]:
    if not laps.seconds:
        return {}
    seconds = statistics.median(laps.seconds)
    return {"seconds_per_epoch": seconds, "rows_per_second": train.shape[0] / seconds}


def _implicit(spec: Any, matrix: csr_matrix, run: Run) -> Callable[[int], object] | None:
    """Return a function that fits implicit itself, with one BLAS thread as implicit asks for; None for other models."""
    if spec.name() != "als":
        return None

    def fit(iterations: int) -> None:
        settings = {"regularization": spec.l2, "alpha": spec.alpha, "iterations": iterations}
        with one_blas_thread():
            implicit_als(spec.latent, run, **settings).fit(matrix, show_progress=False)

    return fit


def implicit_als(factors: int, run: Run, **settings: Any) -> Any:
    """Return implicit's ALS model on the CPU, with as many threads as PyTorch uses."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415  slow to import

    threads = run.threads or torch.get_num_threads()
    with one_blas_thread():  # its constructor warns of more threads
        return AlternatingLeastSquares(factors=factors, num_threads=threads, random_state=run.seed, **settings)
