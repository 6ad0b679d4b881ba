"""Commands that write, their small inputs, and what they leave."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from reliability.publisher import Offered

from recsys_ae.data.readers import cache
from recsys_ae.data.synthetic.generate import synthesize

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """A command line that writes.

    Attributes
    ----------
    out
        File or folder of its result in the working folder; empty if it only prints.
    old
        Words of the command line that makes a former result, which the command then replaces; empty if there is none.
    parts
        Whether the result grows in parts: each of its files is then whole, or not there.
    share
        Number of trials for each one of a usual command.
    needs
        Files of the inputs that are copied to the working folder.
    prepare
        Function that the process calls before the command.
    """

    name: str
    words: tuple[str, ...]
    out: str = ""
    old: tuple[str, ...] = ()
    parts: bool = False
    share: float = 1.0
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None


def make_inputs(folder: Path) -> None:
    """Write the data that the commands read."""
    folder.mkdir(parents=True)
    data = synthesize(300, 120, 8_000, seed=0)
    pairs = data.interactions.matrix.tocoo()
    users, items = data.interactions.users[pairs.row], data.interactions.items[pairs.col]
    ratings = pd.DataFrame({"user": users, "item": items, "rating": pairs.data})
    ratings.to_csv(folder / "ratings.csv", index=False)
    ratings[["user", "item"]].sample(500, random_state=0).to_csv(folder / "pairs.csv", index=False)
    rng = np.random.default_rng(0)
    columns = {f"x{number}": rng.random(400) for number in range(30)}
    pd.DataFrame({"item": range(400), **columns}).to_csv(folder / "features.csv", index=False)
    large = pd.DataFrame(
        {"user": rng.integers(10**7, 10**7 + 300, 700_000), "item": rng.integers(10**7, 10**7 + 120, 700_000)}
    )
    large.to_csv(folder / "large.csv", index=False)
    shutil.copy(HERE / "study.toml", folder / "plan.toml")


def models(inputs: Path) -> dict[str, tuple[str, ...]]:
    """Return the command lines that make the models that other commands read, by folder."""
    fit = ("--data", f"{inputs}/ratings.csv", "--threads", "1", "--quiet")
    return {
        "ease": ("fit", "ease", *fit, "--no-track"),
        "vae": ("fit", "mult-vae", *fit, "--no-track", "--hidden", "16", "--latent", "8", "--epochs", "3"),
        "rated": ("fit", "autorec", *fit, "--no-track", "--latent", "4", "--epochs", "3"),
        "encoder": ("pretrain", "vanilla", "--features", f"{inputs}/features.csv", "--threads", "1", "--quiet",
                    "--no-track", "--latent", "4", "--epochs", "3"),
        "tracked": ("fit", "popularity", *fit),
    }  # fmt: skip


def all_commands(inputs: Path, address: str) -> list[Command]:
    """Return all commands that write; ``address`` is that of a server of the archive."""
    return [*_fits(inputs), *_pretrainings(inputs), *_readers(inputs), *_others(inputs, address)]


def _fits(inputs: Path) -> list[Command]:
    data = ("--data", f"{inputs}/ratings.csv", "--threads", "1", "--no-track", "--out", "model")
    often = (*data, "--checkpoint-every", "0.0005", "--batch-size", "50")
    vae = ("fit", "mult-vae", *often, "--hidden", "32", "--latent", "16", "--epochs", "15")
    varied = ("--optimizer", "nadam", "--lr-schedule", "cosine", "--ema-decay", "0.9", "--precision", "bf16")
    lbfgs = ("--optimizer", "lbfgs", "--latent", "8", "--epochs", "12", "--checkpoint-every", "0.0005")
    members = "ease l2=100,mult-vae hidden=16 latent=8 epochs=8,mult-dae hidden=16 latent=8 epochs=8"
    blend = ("fit", "blend", *data, "--members", members, "--checkpoint-every", "0.0005")
    again = ("--overwrite",)
    return [
        Command("fit mult-vae", vae, "model", share=2),
        Command("fit mult-vae, nadam, averages, bf16", (*vae, *varied), "model"),
        Command("fit recvae", ("fit", "recvae", *often, "--width", "16", "--latent", "8", "--epochs", "4"), "model"),
        Command("fit autorec, lbfgs", ("fit", "autorec", *data, *lbfgs), "model"),
        Command("fit cdae", ("fit", "cdae", *often, "--latent", "8", "--epochs", "12"), "model"),
        Command("fit blend", blend, "model", share=2),
        Command("fit ease", ("fit", "ease", *data), "model"),
        Command("fit als", ("fit", "als", *data, "--latent", "8", "--iterations", "5"), "model"),
        Command("fit mult-vae --overwrite", (*vae, *again), "model", (*vae[:-1], "2", "--seed", "7")),
        Command("fit ease --overwrite", ("fit", "ease", *data, *again), "model", ("fit", "ease", *data, "--l2", "9")),
        Command("fit mult-vae --track", tuple(w for w in vae if w != "--no-track"), "model", share=0.4),
        Command(
            "fit popularity, cached data", ("fit", "popularity", "--data", "large.csv", *data[2:]), "model",
            share=0.7, needs=("large.csv",), prepare=_settle,
        ),
    ]  # fmt: skip


def _settle() -> None:
    """Have the cache take files that were copied just now."""
    cache.SETTLED = -(10**12)


def _pretrainings(inputs: Path) -> list[Command]:
    usual = ("--features", f"{inputs}/features.csv", "--threads", "1", "--no-track", "--checkpoint-every", "0.0005",
             "--out", "encoder", "--latent", "4")  # fmt: skip
    vanilla = ("pretrain", "vanilla", *usual, "--epochs", "40")
    adversarial = ("pretrain", "adversarial", *usual, "--epochs", "15", "--hidden", "16", "--critic", "8")
    deep = ("pretrain", "deep", *usual, "--epochs", "10", "--hidden", "16,8", "--pretrain-epochs", "8")
    return [
        Command("pretrain vanilla", vanilla, "encoder"),
        Command("pretrain adversarial", adversarial, "encoder"),
        Command("pretrain deep, layer by layer", deep, "encoder", share=2),
        Command("pretrain vanilla --overwrite", (*vanilla, "--overwrite"), "encoder", (*vanilla[:-1], "2")),
    ]


def _readers(inputs: Path) -> list[Command]:
    ease, vae = f"{inputs}/ease", f"{inputs}/vae"
    top = ("recommend", ease, "--out", "top.csv")
    predict = ("predict", f"{inputs}/rated", "--pairs", f"{inputs}/pairs.csv", "--out", "predicted.parquet")
    encode = ("encode", f"{inputs}/encoder", "--features", f"{inputs}/features.csv", "--out", "codes.parquet")
    users = ("evaluate", ease, "--per-user", "users.csv", "--no-track")
    blend, again = ("blend", ease, vae, "--out", "blend"), ("--overwrite",)
    tracked = (
        "evaluate",
        f"{inputs}/tracked",
        "--per-user",
        "users.csv",
        "--track",
        "--tracking-uri",
        "sqlite:///mlflow.db",
    )
    return [
        Command("blend", blend, "blend"),
        Command("blend --overwrite", (*blend, *again), "blend", (*blend, "--weights", "1,1")),
        Command("recommend --out", top, "top.csv"),
        Command("recommend --out --overwrite", (*top, *again), "top.csv", (*top, "--k", "3")),
        Command("predict", predict, "predicted.parquet"),
        Command("similar", ("similar", ease, "1", "2", "3"), share=0.5),
        Command("encode --out", encode, "codes.parquet"),
        Command("evaluate --per-user", users, "users.csv"),
        Command("evaluate --track", tracked, "users.csv", share=0.4, needs=("mlflow.db",)),
    ]


def _others(inputs: Path, address: str) -> list[Command]:
    split = ("data", "split", f"{inputs}/ratings.csv", "--out", "split")
    study = ("study", f"{inputs}/plan.toml", "--data", f"{inputs}/features.csv", "--threads", "1", "--no-track",
             "--out", "study")  # fmt: skip
    return [
        Command("data split", split, "split"),
        Command("data fetch", ("data", "fetch", "ml-100k", "--data-dir", "."), "ml-100k.zip", prepare=Offered(address)),
        Command("study", study, "study", parts=True, share=0.7),
        Command("study --jobs 2", (*study, "--jobs", "2"), "study", parts=True, share=0.5),
    ]
