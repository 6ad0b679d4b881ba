"""``recsys-ae pretrain NAME``: a command for each autoencoder of features, generated from its file."""

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import feature_source, options
from ..framework import Option
from ..model_commands import ModelGroup, typed_name
from ..param_types import Share
from ..training import Task, command_line, fit

if TYPE_CHECKING:
    from recsys_ae.features.data.features import Features
    from recsys_ae.features.encoder import FeatureEncoder
    from recsys_ae.nn.checkpoints.settings import Checkpoint
    from recsys_ae.nn.runtime import Run


def shared(spec: Any = None) -> list[Option]:
    """Return the options that every autoencoder takes."""
    share = "Validation share of the rows, drawn at random, which selects the best epoch; 0 selects the last epoch."
    return [
        *options.features(),
        Option(["--valid-share"], type=Share(), default=0.1, show_default=True, section=options.FEATURES, help=share),
        *options.run(),
        *options.checkpoints(spec),
        options.dry_run(),
    ]


class FitEncoder(Task):
    """A fit to rows of features; the validation rows select the best epoch."""

    noun = "autoencoder"

    @property
    def title(self) -> str:
        """Name of the autoencoder."""
        return f"features-{typed_name(self.spec.name())}"

    def read(self, run: "Run") -> Mapping[str, int]:
        """Read the features and split off the validation rows; raise an error if they cannot be fitted."""
        from recsys_ae.features import preflight  # noqa: PLC0415
        from recsys_ae.features.nn.footprint import memory  # noqa: PLC0415

        features = feature_source.read(self.settings)
        self.train, self.valid = _divided(features, self.settings["valid_share"], run.seed)
        aside = len(features) - len(self.train)
        self.display.line(
            f"{len(self.train):,} rows of {features.width:,} columns for training, {aside:,} for validation"
        )
        preflight.check(self.spec, self.train, self.valid, run)
        return memory(self.spec, self.train, self.valid)

    def model(self) -> "FeatureEncoder":
        """Return the encoder."""
        from recsys_ae.features.encoder import FeatureEncoder  # noqa: PLC0415

        model = FeatureEncoder(self.spec)
        model.notes = {"source": feature_source.written(self.settings), "command": command_line()}
        return model

    def learn(self, model: "FeatureEncoder", run: "Run", checkpoint: "Checkpoint | None") -> "FeatureEncoder":
        """Fit the encoder."""
        return model.fit(self.train, valid=self.valid, run=run, checkpoint=checkpoint)

    def show(self, model: "FeatureEncoder", out: Path) -> None:
        """Print the error on the validation rows."""
        rows: list[tuple[str, Any]] = []
        if self.valid is not None:
            rows.append(("validation", f"rmse {model.error(self.valid):.4f} in the units of the features"))
        rows += [
            ("time", f"{model.metadata['seconds']:.1f} s"),
            ("saved", out),
            ("repeat", model.notes["command"]),
        ]
        self.display.line()
        self.display.pairs(rows)
        encode = shlex.join(["recsys-ae", "encode", str(out), *_words(model.notes["source"])])
        self.display.line(f"\nNext:\n  {encode} --out vectors.parquet")


def _divided(features: "Features", share: float, seed: int) -> tuple["Features", "Features | None"]:
    """Split off a share of the rows for validation; at least one row, if the share is not 0 and there are two rows."""
    import numpy as np  # noqa: PLC0415

    n = min(max(1, round(share * len(features))), len(features) - 1) if share else 0
    if n < 1:
        return features, None
    order = np.random.default_rng(seed).permutation(len(features))
    return features.take(np.sort(order[n:])), features.take(np.sort(order[:n]))


def _words(source: Mapping[str, Any]) -> list[str]:
    """Return the options that name the features of a fit."""
    words = [word for name in source["features"] for word in ("--features", name)]
    words += ["--text-columns", ",".join(source["text_columns"])] if source["text_columns"] else []
    return words + (["--id-column", source["id_column"]] if source["id_column"] else [])


@click.group(
    cls=ModelGroup, package="recsys_ae.features.models", title="Autoencoders", shared=shared,
    fit=partial(fit, FitEncoder), subcommand_metavar="NAME [OPTIONS]",
)  # fmt: skip
def command() -> None:
    """Fit an autoencoder to item features and save it.

    `recsys-ae pretrain NAME --help` also shows the hyper-parameters of an autoencoder.
    """
