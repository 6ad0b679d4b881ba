"""Feature encoder: fits a feature autoencoder to rows, and turns rows into vectors and back."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_ae.data.parsing import Ids
from recsys_ae.errors import Argument, ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.features.data.features import Features
from recsys_ae.features.metadata import fit_metadata
from recsys_ae.features.nn.contract import FeatureAutoencoder, FeatureShape, FeatureSpec, refuse_unbounded
from recsys_ae.features.nn.reconstruction import chunks, squared_errors, validation
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Columns, Scaling
from recsys_ae.features.preflight import check
from recsys_ae.features.state import FittedEncoder
from recsys_ae.nn.checkpoints import files as checkpoint_files
from recsys_ae.nn.checkpoints import session
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.run_metadata import identity_of_fit
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.spec.hyper import flatten


class FeatureEncoder:
    """A feature autoencoder: its hyper-parameters (spec), and the scaling and network that it has learnt.

    The row of a new item is encoded like any other, with the scaling of the training rows.
    """

    spec: FeatureSpec
    columns: Ids
    """Names of the columns of the fit."""
    form: tuple[int, ...]
    history: History
    """Metrics of each epoch."""
    metadata: dict[str, Any]
    """Metadata of the fit; its ``remarks`` are sentences about what was noticed in the features."""
    notes: dict[str, Any]
    """JSON values that the caller wants saved with the model."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.columns, self.form = pd.Index([]), ()
        self.history, self.metadata, self.notes = History(), {}, {}
        self._network: FeatureAutoencoder | None = None
        self._scaling = Scaling(0)
        self._checkpoint: Path | None = None

    @classmethod
    def assembled(cls, parts: FittedEncoder) -> Self:
        """Return an encoder made from fitted parts, such as those of a saved one."""
        model = cls(parts.spec)
        model._network, model._scaling = parts.network, parts.scaling
        model.columns, model.form = parts.columns, parts.form
        model.history, model.metadata, model.notes = parts.history, parts.metadata, dict(parts.notes)
        return model

    @property
    def parts(self) -> FittedEncoder:
        """Complete state of the fitted encoder, from which `assembled` makes an equal encoder."""
        learnt = self.network, self._scaling, self.columns, self.form
        return FittedEncoder(self.spec, *learnt, self.history, self.metadata, self.notes)

    def __repr__(self) -> str:
        state = "not fitted" if self._network is None else f"fitted on {len(self.columns):,} columns"
        return f"FeatureEncoder({self.spec!r}, {state})"

    @property
    def network(self) -> FeatureAutoencoder:
        """The fitted network."""
        if self._network is None:
            raise NotFittedError(f"this {self.spec.name()} has not been fitted; call fit first")
        return self._network

    def fit(
        self,
        features: Features,
        *,
        valid: Features | None = None,
        run: Run | None = None,
        checkpoint: Checkpoint | Path | str | None = None,
    ) -> Self:
        """Learn from rows of features.

        Parameters
        ----------
        valid
            Validation rows that select the best epoch. Without them, the weights of the last epoch are kept.
        run
            Seed, device, precision, tracker, …; the default is seed 0, on a GPU if there is one.
        checkpoint
            Folder for the state of the training, which is written every five minutes (`Checkpoint` has other settings)
            and when the fit is interrupted. The same fit then goes on from it, and ends with the same weights, bit for
            bit. `save` removes it.

        Raises
        ------
        ConfigError
            If the monitor is no metric, the device does not exist, or the checkpoint belongs to another fit.
        ArtefactError
            If the checkpoint is damaged.
        """
        run = run or Run()
        shape = FeatureShape(len(features), features.width, features.form)
        valid = None if valid is None else valid.fitting(features.columns, features.form)
        check(self.spec, features, valid, run)
        metadata = fit_metadata(self.spec, features, valid, run)
        remarks = (*features.remarks, *Columns.of(features).remarks(features), *self.spec.remarks(shape))
        identity = partial(identity_of_fit, self.spec, metadata)
        with session.of(checkpoint, identity, lambda: run.tracker.known_run_id) as checkpoints:
            run.tracker.parameters({**flatten(self.spec), **metadata})
            learnt = self._learnt(features, valid, dataclasses.replace(run, checkpoints=checkpoints))
        # Only now, so that a fit that fails leaves an earlier fit unchanged.
        self._network, self._scaling, self.history, seconds = learnt
        self.metadata = metadata | {"remarks": list(remarks), "seconds": seconds}
        self.columns, self.form = features.columns, features.form
        self._checkpoint = None if checkpoint is None else Checkpoint.of(checkpoint).folder
        return self

    def _learnt(
        self, features: Features, valid: Features | None, run: Run
    ) -> tuple[FeatureAutoencoder, Scaling, History, float]:
        """Return the fitted network, the scaling, the history and the seconds of a fit."""
        started, device = time.perf_counter() - run.checkpoints.seconds, run.torch_device
        with run.settings(self.spec.name()):
            scaling = Scaling.of(features, self.spec.scale, bounded=self.spec.bounded).to(device)
            rows = FeatureRows.of(features, scaling, device)
            if self.spec.bounded:
                ends = [(float(chunk.seen.min()), float(chunk.seen.max())) for chunk in chunks(rows)]
                refuse_unbounded(self.spec, features, min(low for low, _ in ends), max(high for _, high in ends))
            network = self.spec.build(FeatureShape(len(features), features.width, features.form)).to(device)
            measure = None
            if valid is not None:
                measure = validation(network, FeatureRows.of(valid, scaling, device), run)
            history = network.learn(rows, run, measure)
            if measure is not None and not history:
                history.append({f"{VALIDATION}{name}": value for name, value in measure().items()})
                history.update_best(self.spec.monitor)
                run.tracker.metrics(history[0], step=1)
        return network.eval(), scaling, history, round(time.perf_counter() - started, 3)

    def untrained(self, *, seed: int = 0) -> Self:
        """Return an encoder like this one with the random weights before training.

        The difference between the two shows what the training has learnt.

        Raises
        ------
        UnsupportedError
            If the model is a closed form, which has no weights before it is fitted.
        """
        if not any(True for _ in self.network.parameters()):
            raise UnsupportedError(f"{self.spec.name()} is a closed form, so it has no untrained weights")
        shape = FeatureShape(self.metadata["rows"], len(self.columns), self.form)
        device = self._scaling.centre.device
        with seeded(seed, device):
            network = self.spec.build(shape).to(device).eval()
        return self.assembled(dataclasses.replace(self.parts, network=network, history=History(), notes={}))

    def encode(self, features: Features) -> Features:
        """Return the codes of the rows as features with the same ids, ``(n, latent)``."""
        codes = self._mapped(features, self.network.encode)
        return Features(codes, features.ids, _numbered(codes.shape[1]), remarks=features.remarks)

    def reconstruct(self, features: Features) -> Features:
        """Return the reconstructions of the rows, in the units of the features.

        Words get the counts of a row whose TF-IDF weights have length 1.
        """
        values = self._mapped(features, lambda x: self._scaling.undo(self.network(x)))
        return Features(values, features.ids, self.columns, self.form, features.lengths)

    def error(self, features: Features) -> float:
        """Return the root of the mean squared error of the reconstruction, in the units of the features.

        Missing values and padding do not count. For words, the error is that of the TF-IDF weights.
        """
        sums, counts = self.squared_errors(features)
        return float(np.sqrt(sums.sum() / counts.sum()))

    def squared_errors(self, features: Features, codes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum of the squared errors of each row's values, as in `error`, and their number, ``(n,)`` each.

        Parameters
        ----------
        codes
            Codes ``(n, latent)`` that are decoded and compared with the rows, instead of the codes of the rows.
        """
        if codes is not None and np.shape(codes) != (len(features), self.spec.latent):
            raise DataError(f"codes have the shape {np.shape(codes)}; expected ({len(features)}, {self.spec.latent})")
        rows = self.rows(features)
        device_codes = (
            None if codes is None else torch.from_numpy(np.array(codes, np.float32, order="C")).to(rows.device)
        )
        sums, counts = squared_errors(self.network, self._scaling, rows, device_codes)
        return sums.cpu().numpy(), counts.cpu().numpy()

    def log_likelihood(self, features: Features, *, samples: int = 50, seed: int = 0) -> np.ndarray:
        """Return log p(x) of each scaled row, ``(n,)``, estimated by importance sampling.

        The estimate grows with the number of samples from the evidence lower bound to log p(x) (Burda et al. 2016).
        """
        generator = torch.Generator(self._scaling.centre.device).manual_seed(seed)
        return self._mapped(features, lambda x: self.network.log_likelihood(x, samples, generator))

    def sample(self, n: int, *, seed: int = 0) -> Features:
        """Draw rows from a generative model."""
        if n < 1:
            raise ConfigError(Argument("n", n), " must be at least 1")
        device = self._scaling.centre.device
        with torch.no_grad():
            codes = self.network.draw(n, torch.Generator(device).manual_seed(seed))
            values = self._scaling.undo(self.network.decode(codes).float()).cpu().numpy()
        lengths = np.full(n, self.form[0]) if len(self.form) == 2 else None
        return Features(values, pd.RangeIndex(n), self.columns, self.form, lengths)

    def decode(self, codes: np.ndarray) -> Features:
        """Return the rows that are decoded from codes ``(n, latent)``, such as points between the codes of two rows."""
        codes = np.array(codes, np.float32, order="C")
        if codes.ndim != 2 or codes.shape[1] != self.spec.latent:
            raise DataError(f"codes have the shape {codes.shape}; expected (n, {self.spec.latent})")
        device = self._scaling.centre.device
        with torch.no_grad():
            rows = self.network.decode(torch.from_numpy(codes).to(device)).float()
            values = self._scaling.undo(rows).cpu().numpy()
        lengths = np.full(len(codes), self.form[0]) if len(self.form) == 2 else None
        return Features(values, pd.RangeIndex(len(codes)), self.columns, self.form, lengths)

    def interpolate(self, features: Features, steps: int = 9) -> Features:
        """Return ``steps`` rows that are decoded from equidistant codes between the codes of two rows."""
        if len(features) != 2 or steps < 2:
            raise DataError(f"{len(features):,} rows and {steps} steps; expected two rows and at least 2 steps")
        start, end = np.asarray(self.encode(features).matrix)
        shares = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return self.decode((1 - shares) * start + shares * end)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the model in a folder, from which `FeatureEncoder.load` returns a model with equal spec and codes.

        The checkpoint of its fit is removed.
        """
        self.parts.save(path, overwrite=overwrite)
        checkpoint_files.remove_after_saving(self._checkpoint)
        self._checkpoint = None

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Load a model, which may have been saved on another device."""
        return cls.assembled(FittedEncoder.load(path, device=device))

    def rows(self, features: Features) -> FeatureRows:
        """Return the rows as input of the network, on its device."""
        self.network.eval()
        fitting = features.fitting(self.columns, self.form)
        return FeatureRows.of(fitting, self._scaling, self._scaling.centre.device)

    def _mapped(self, features: Features, use: Callable[[FeatureRows], Tensor]) -> np.ndarray:
        with torch.no_grad():
            outputs = [use(chunk).float().cpu().numpy() for chunk in chunks(self.rows(features))]
        return np.concatenate(outputs) if outputs else np.empty((0, self.spec.latent), np.float32)


def _numbered(width: int) -> Ids:
    return pd.Index([f"code {dimension}" for dimension in range(width)])
