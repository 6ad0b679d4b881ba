"""Measurements of a GPU's first hour: each part yields its results one by one."""

import dataclasses
import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import fits  # noqa: E402  next to this file, as all of these
import launches  # noqa: E402
import quick_data  # noqa: E402
import torch  # noqa: E402
from scipy.sparse import vstack  # noqa: E402
from timing import Laps, seconds_of  # noqa: E402

from recsys_ae import Interactions, Recommender, Run, Split, evaluate, load_dataset, split_users  # noqa: E402
from recsys_ae.data.filters import MinInteractions, MinRating, apply  # noqa: E402
from recsys_ae.data.named import find  # noqa: E402
from recsys_ae.models import spec_class  # noqa: E402

QUALITY = {"mult_vae": 0.4210, "mult_dae_paper": 0.4209}
"""Validation NDCG@100 on a CPU in fp32 of settings in experiments/ml1m_strong, from its table."""
METRIC = "ndcg@100"


class Sizes(NamedTuple):
    """Sizes of the generated data and of the models."""

    users: int = 136_677
    items: int = 20_108
    interactions: int = 10_000_000
    batches: tuple[int, ...] = (500, 8192)
    hidden: tuple[int, ...] = (600,)
    latent: int = 200
    listed: tuple[int, ...] = (100_000, 1_000_000)
    many: tuple[int, int, int] = (1_000_000, 1_000_000, 20_000_000)
    sampled: int = 5_000


TINY = Sizes(400, 120, 4_000, (16, 40), (16,), 8, (400, 800), (600, 500, 6_000), 50)


def mult_vae(sizes: Sizes, device: str) -> Iterator[dict[str, Any]]:
    """Time an epoch of Mult-VAE 600-200, and count launches and waits of an update, by batch size and precision."""
    train = _train(sizes)
    for batch in sizes.batches:
        for precision in ("bf16", "fp32", "tf32"):
            run = Run(seed=fits.SEED, device=device, precision=precision)  # type: ignore[arg-type]
            spec = _vae(sizes, batch)
            laps = Laps(run.torch_device)
            fits.passes(spec, 4, train, run, laps)
            name = f"Mult-VAE {'-'.join(map(str, (*sizes.hidden, sizes.latent)))}, batch {batch}, {precision}"
            updates = -(-train.shape[0] // batch)
            yield {
                "name": name, "seconds_per_epoch": min(laps.seconds), "first_epoch": laps.first,
                "ms_per_update": 1000 * min(laps.seconds) / updates, **launches.per_update(spec, train, run),
                **_memory(run.torch_device),
            }  # fmt: skip


def ease(sizes: Sizes, device: str) -> Iterator[dict[str, Any]]:
    """Time fits of EASE, the first of which starts the libraries of CUDA."""
    train, run = _train(sizes), Run(device=device)
    for title, dtype in (("first fit, float32", "float32"), ("float32", "float32"), ("float64", "float64")):
        model = Recommender(spec_class("ease").paper(dtype=dtype))
        seconds = seconds_of(lambda model=model: model.fit(train, run=run), run.torch_device)  # type: ignore[misc]
        yield {"name": f"EASE, {sizes.items:,} items, {title}", "fit_seconds": seconds, **_memory(run.torch_device)}


def lists(sizes: Sizes, device: str) -> Iterator[dict[str, Any]]:
    """Time lists of the best 100 items without seen ones, by Mult-VAE after one epoch."""
    train, run = _train(sizes), Run(device=device)
    model = fits.passes(_vae(sizes, sizes.batches[-1]), 1, train, run, Laps(run.torch_device))
    k = min(100, sizes.items // 2)
    model.recommend(train.matrix[:1000], k)
    for users in sizes.listed:
        copies = -(-users // train.shape[0])
        histories = vstack([train.matrix] * copies, format="csr")[:users]
        seconds = seconds_of(lambda histories=histories: model.recommend(histories, k), run.torch_device)  # type: ignore[misc]
        yield {"name": f"top-{k} lists of {users:,} users", "seconds": seconds, "users_per_second": users / seconds}


def million(sizes: Sizes, device: str) -> Iterator[dict[str, Any]]:
    """Time passes over a tenth of the users with a softmax over sampled items."""
    users, items, wanted = sizes.many
    train = quick_data.interactions(users, items, wanted)
    run = Run(seed=fits.SEED, device=device)
    for batch in sizes.batches:
        part = fits.sample(train, max(batch, users // 10))
        spec = dataclasses.replace(_vae(sizes, batch), hidden=(sizes.latent,), sampled_items=sizes.sampled)
        laps = Laps(run.torch_device)
        fits.passes(spec, 3, part, run, laps)
        share = part.shape[0] / users
        yield {
            "name": f"{users:,} users × {items:,} items, {sizes.sampled:,} sampled, batch {batch}",
            "seconds_per_epoch": min(laps.seconds) / share,
            "ms_per_update": 1000 * min(laps.seconds) / -(-part.shape[0] // batch), **_memory(run.torch_device),
        }  # fmt: skip


def quality(sizes: Sizes, device: str) -> Iterator[dict[str, Any]]:
    """Compare validation NDCG@100 on ML-1M with that of a CPU; of a tiny rehearsal on generated data."""
    folder = os.environ.get("RECSYS_AE_DATA")
    is_tiny = sizes is TINY
    if not is_tiny and find("ml-1m", folder and Path(folder)) is None:
        raise SystemExit("ML-1M is not at hand; set RECSYS_AE_DATA to the folder with ml-1m.zip")
    split = _tiny_split(sizes) if is_tiny else _movielens(folder)
    for settings, known in QUALITY.items():
        spec = _settings(settings, epochs=3 if is_tiny else None)
        expected = _valid(spec, split, Run(device="cpu"))[0] if is_tiny else known
        for precision in ("bf16", "fp32"):
            run = Run(device=device, precision=precision)  # type: ignore[arg-type]
            value, error = _valid(spec, split, run)
            yield {
                "name": f"{settings}, {precision}, validation {METRIC}", "value": value, "standard_error": error,
                "cpu": expected, "equal_within_one_standard_error": bool(abs(value - expected) <= error),
            }  # fmt: skip


PARTS = {"mult-vae": mult_vae, "ease": ease, "lists": lists, "million": million, "quality": quality}


def _train(sizes: Sizes) -> Interactions:
    return quick_data.interactions(sizes.users, sizes.items, sizes.interactions)


def _vae(sizes: Sizes, batch: int) -> Any:
    return spec_class("mult_vae").paper(hidden=sizes.hidden, latent=sizes.latent, batch_size=batch)


def _memory(device: torch.device) -> dict[str, float]:
    if device.type != "cuda":
        return {}
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return {"device_gib": round(peak, 2)}


def _settings(name: str, epochs: int | None) -> Any:
    chosen = tomllib.loads((HERE.parent / f"ml1m_strong/{name}.toml").read_text(encoding="utf-8"))
    spec = spec_class(chosen.pop("model")).preset(chosen.pop("preset"), **chosen)
    return spec if epochs is None else dataclasses.replace(spec, epochs=epochs, hidden=(), latent=8)


def _valid(spec: Any, split: Split, run: Run) -> tuple[float, float]:
    """Return the metric on the validation users, and its standard error."""
    assert split.valid is not None
    model = Recommender(spec).fit(split.train, valid=split.valid, run=run)
    values = evaluate(model, split.valid, [METRIC], n_resamples=10).values[METRIC].to_numpy()
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def _movielens(folder: str | None) -> Split:
    read = load_dataset("ml-1m", data_dir=folder).interactions
    return split_users(
        apply(read, MinRating(4.0), MinInteractions(user=5)), n_valid=603, n_test=603, recipe="liang2018"
    )


def _tiny_split(sizes: Sizes) -> Split:
    return split_users(apply(_train(sizes), MinInteractions(user=5)), n_valid=40, n_test=40)
