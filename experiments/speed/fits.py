"""How long fits take, in turn with those of others."""

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

PATIENCE = 5  # a fit that cannot be stopped is begun if it takes at most this many times the seconds of a row
FEW = 2_000  # users that are fitted to where only the model's size matters
SEED = 0


def sample(train: Interactions, n: int, seed: int = SEED) -> Interactions:
    """Return ``n`` users drawn at random, or all in their order if there are no more."""
    if n >= train.shape[0]:
        return train
    return train.select_users(np.random.default_rng(seed).choice(train.shape[0], n, replace=False))


def yardstick(spec: Any, matrix: csr_matrix, device: torch.device) -> Yardstick | None:
    """Return the dense form of a model; None where it has none, or one too large for the memory."""
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
    """Time passes over all users, or over as many as the seconds allow, in turn with the yardstick's.

    A lap is one pass; with RecVAE a whole cycle, of three for its encoder and one for its decoder.
    """
    device = run.torch_device
    cycle = getattr(spec, "encoder_epochs", 1) + getattr(spec, "decoder_epochs", 0)
    probe, some = Laps(device, cycle), sample(train, spec.batch_size)
    passes(spec, 2 * cycle, some, run, probe)
    rival = yardstick(spec, some.matrix, device)
    taken = probe.seconds[0] * (3 if rival else 1)  # the yardstick is slower than ours
    some = sample(train, spec.batch_size * max(1, int(budget / ((REPEATS + 1) * taken))))
    others: list[float] = []
    if rival is not None:
        rival.matrix = some.matrix
    laps = Laps(device, cycle, between=rival and (lambda: others.append(seconds_of(rival.epoch, device))))
    model = passes(spec, cycle * (REPEATS + 1), some, run, laps)
    share = some.shape[0] / train.shape[0]
    own, others = ([seconds / share for seconds in times] for times in (laps.seconds, others[1:]))
    seconds = statistics.median(own) / cycle
    found: dict[str, Any] = {"seconds_per_epoch": seconds, "rows_per_second": train.shape[0] / seconds}
    found |= {"rows_timed": some.shape[0], "fit_seconds": seconds * spec.epochs, "fit_extrapolated": True}
    if rival is not None:
        found["yardstick"] = {"seconds_per_epoch": statistics.median(others), "ratio": ratio(own, others)}
    return model, found


def passes(spec: TrainableSpec, epochs: int, train: Interactions, run: Run, laps: Laps) -> Recommender:
    """Fit a number of epochs, and report them."""
    spec = dataclasses.replace(spec, epochs=epochs)
    return Recommender(spec).fit(train, run=dataclasses.replace(run, progress=laps))


def whole(spec: Any, train: Interactions, run: Run, budget: float) -> tuple[Recommender, dict[str, Any]]:
    """Time whole fits, in turn with implicit's own where the model is implicit's.

    One that reports its iterations is stopped when the seconds are over, and the rest is extrapolated; then implicit is
    given as many iterations.
    """
    rival, device = _implicit(spec, train.matrix, run), run.torch_device
    own: list[float] = []
    others: list[float] = []
    model, laps, until = Recommender(spec), Laps(device), time.perf_counter() + budget
    while len(own) < REPEATS and (not own or time.perf_counter() < until):
        laps = Laps(device, limit=budget)
        try:
            model = Recommender(spec).fit(train, run=dataclasses.replace(run, progress=laps))
        except EnoughError:
            break
        own.append(model.metadata["seconds"])
        if rival is not None:
            others.append(seconds_of(partial(rival, spec.iterations), device))
    found: dict[str, Any] = _iterations(laps, train)
    if own:
        found |= {"fit_seconds": statistics.median(own), "fit_extrapolated": False}
    else:
        done = 1 + len(laps.seconds)
        own = [laps.first + sum(laps.seconds)]
        others = [] if rival is None else [seconds_of(partial(rival, done), device)]
        left = (spec.iterations - done) * statistics.median(laps.seconds)
        found |= {"fit_seconds": own[0] + left, "fit_extrapolated": left > 0}
        model = Recommender(dataclasses.replace(spec, iterations=1)).fit(sample(train, FEW), run=run)
    if others:
        found["implicit"] = {"fit_seconds": statistics.median(others), "ratio": ratio(own, others)}
    return model, found


def _iterations(laps: Laps, train: Interactions) -> dict[str, float]:
    if not laps.seconds:
        return {}
    seconds = statistics.median(laps.seconds)
    return {"seconds_per_epoch": seconds, "rows_per_second": train.shape[0] / seconds}


def _implicit(spec: Any, matrix: csr_matrix, run: Run) -> Callable[[int], object] | None:
    """Return a fit by the package implicit itself in some iterations, with one thread for BLAS as it asks for."""
    if spec.name() != "als":
        return None

    def fit(iterations: int) -> None:
        settings = {"regularization": spec.l2, "alpha": spec.alpha, "iterations": iterations}
        with one_blas_thread():
            implicit_als(spec.latent, run, **settings).fit(matrix, show_progress=False)

    return fit


def implicit_als(factors: int, run: Run, **settings: Any) -> Any:
    """Return implicit's model, on the CPU, with as many threads as PyTorch has."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415  slow to import

    threads = run.threads or torch.get_num_threads()
    with one_blas_thread():  # it warns of more where it is made
        return AlternatingLeastSquares(factors=factors, num_threads=threads, random_state=run.seed, **settings)
