"""Plan of a study, from a TOML file or a preset of the package."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.study.tasks import STEPS, named
from recsys_ae.spec import hyper
from recsys_ae.spec.hyper import hp, nearest

RAW = "raw"
"""Name of the features themselves, which take the place of a model's code."""
PRESETS = ("quick", "paper")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Base class of values whose types and bounds are checked."""

    def __post_init__(self) -> None:
        hyper.validate(self)


@dataclass(frozen=True, kw_only=True)
class Sizes(Checked):
    """Numbers of rows of a study, and settings of its measures."""

    train: int = hp(0, "number of training rows, drawn once; 0 takes all", low=0)
    valid: int = hp(2000, "number of validation rows, at most a tenth of the rows for training", low=1)
    test: int = hp(0, "number of test rows, drawn once; 0 takes all", low=0)
    structure: int = hp(2000, "number of test rows for the measures of structure", low=20)
    k: int = hp(7, "number of neighbours in the measures of structure", low=1)
    map: int = hp(1500, "number of test rows on a map of the code", low=20)
    map_latents: tuple[int, ...] = hp((2, 40, 100), "sizes of the code that maps are drawn for", low=1)
    picture_latents: tuple[int, ...] = hp((2, 10, 40, 100), "sizes of the code that pictures are shown for", low=1)
    shares: tuple[float, ...] = hp(
        (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0), "perturbations of the code, as shares of its range", low=0, high=1
    )
    noise: tuple[float, ...] = hp((0.0, 0.1, 0.2, 0.3, 0.5), "standard deviations of the noise on the rows", low=0)
    labelled: tuple[float, ...] = hp((0.001, 0.01, 0.05, 0.1), "shares of the labels for learning from few", low=0)
    made: int = hp(1000, "number of generated rows, and of real rows that they are compared with", low=20)
    pool: int = hp(0, "number of labelled training rows for neighbours and classifiers; 0 takes all", low=0)
    queries: int = hp(
        1000, "number of test rows in retrieval, denoising, generation and augmentation; 0 takes all", low=0
    )
    rare: int = hp(
        100, "rows of the verifier's largest class; each further class has 0.6 times as many; 0 takes all", low=0
    )
    minima: tuple[int, ...] = hp((0, 10, 25, 50), "sizes up to which the verifier's rare classes are filled")
    repeats: int = hp(3, "number of draws of the labels and of the verifier's pairs", low=1)


@dataclass(frozen=True, kw_only=True)
class Group(Checked):
    """Fits for the same steps: each model with each size of the code and each seed."""

    steps: tuple[str, ...] = hp((), "steps of the study that use the fits")
    models: tuple[str, ...] = hp((), "names of autoencoders; raw stands for the features themselves")
    latents: tuple[int, ...] = hp((10,), "sizes of the code", low=1)
    seeds: tuple[int, ...] = hp((0,), "random seeds of the training", low=0)
    layers: tuple[int, ...] = hp((), "numbers of hidden layers, narrower in equal steps; () uses the settings", low=0)
    withhold: tuple[str, ...] = hp((), "labels to leave out of the training, one per fit; each stands for all labels")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "steps", named(self.steps))
        for model in self.models:
            if model != RAW and model not in autoencoders.names():
                raise ConfigError(f"there is no autoencoder {model!r}{nearest(model, (*autoencoders.names(), RAW))}")


@dataclass(frozen=True)
class Plan:
    """The plan of a study.

    Attributes
    ----------
    title, data, labels, unlike
        Title of the report; source of the features; column of the labels; sources of other data sets.
    steps
        Names of the steps, in their order.
    settings, models
        Hyper-parameters shared by all models that have them, and hyper-parameters of each model.
    groups
        The fits, the most informative first.
    summary
        Size of the code at which the summary compares models.
    """

    title: str
    data: str
    labels: str | None
    unlike: tuple[str, ...]
    steps: tuple[str, ...]
    settings: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]
    groups: tuple[Group, ...]
    sizes: Sizes
    summary: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a plan from a TOML file."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not TOML: {error}") from error
        return cls._of_text(text, str(path))

    @classmethod
    def preset(cls, name: str) -> Self:
        """Return a plan that comes with the package."""
        if name not in PRESETS:
            raise ConfigError(f"there is no preset {name!r}{nearest(name, PRESETS)}")
        text = files("recsys_ae.features.study").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        return cls._of_text(text, f"preset {name}")

    @classmethod
    def _of_text(cls, text: str, source: str) -> Self:
        try:
            return cls._of(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{source} is not TOML: {error}") from error
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from error  # not in parts: a file has keys, no options

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Self:
        keys = ("title", "data", "labels", "unlike", "steps", "summary", "sizes", "settings", "models", "fits")
        for name in content:
            if name not in keys:
                raise ConfigError(f"there is no key {name!r}{nearest(name, keys)}")
        if not content.get("fits"):
            raise ConfigError("there are no fits; add at least one table [[fits]] with models, latents and steps")
        models = content.get("models", {})
        for name, settings in models.items():
            _refuse_unknown(name, settings)
        groups = tuple(hyper.build(Group, group) for group in content["fits"])
        latents = [latent for group in groups for latent in group.latents]
        return cls(
            title=str(content.get("title", "A study of autoencoders")),
            data=str(content.get("data", "sample")),
            labels=content.get("labels"),
            unlike=tuple(content.get("unlike", ())),
            steps=named(map(str, content.get("steps", STEPS))),
            settings=content.get("settings", {}),
            models=models,
            groups=groups,
            sizes=hyper.build(Sizes, content.get("sizes", {})),
            summary=int(content.get("summary", max(latents))),
        )

    def narrowed(
        self,
        *,
        steps: Iterable[str] = (),
        models: Sequence[str] = (),
        latents: Sequence[int] = (),
        seeds: Sequence[int] = (),
    ) -> Self:
        """Return the plan restricted to some steps and models, with other sizes of the code and seeds in all fits.

        An empty argument changes nothing. A model that is in no group joins the leading group that is not about the
        depth or withheld labels.
        """
        chosen_steps = named(steps) or self.steps
        groups = [dataclasses.replace(g, steps=tuple(s for s in g.steps if s in chosen_steps)) for g in self.groups]
        if latents:
            groups = [dataclasses.replace(group, latents=tuple(latents)) for group in groups]
        if seeds:
            groups = [dataclasses.replace(group, seeds=tuple(seeds)) for group in groups]
        if models:
            planned = {model for group in groups for model in group.models}
            new = tuple(model for model in models if model not in planned)
            home = next((i for i, g in enumerate(groups) if not g.layers and not g.withhold), 0)
            groups = [
                dataclasses.replace(
                    g, models=(*(m for m in g.models if m in models or m == RAW), *(new if i == home else ()))
                )
                for i, g in enumerate(groups)
            ]
        groups = [group for group in groups if group.steps and group.models]
        if not groups:
            raise ConfigError(
                f"no fit of the plan is for {', '.join(chosen_steps)} with these models; change ", Argument("steps"),
                " or ", Argument("models"),
            )  # fmt: skip
        summary = self.summary if not latents or self.summary in latents else max(latents)
        return dataclasses.replace(self, steps=chosen_steps, groups=tuple(groups), summary=summary)


def _refuse_unknown(model: str, settings: Mapping[str, Any]) -> None:
    """Raise if a model does not have a setting; ``layers`` stands for hidden widths in equal steps."""
    spec = autoencoders.spec_class(model)
    names = {option.name for option in hyper.describe(spec)} | {"layers"}
    for name in settings:
        if name not in names:
            raise ConfigError(f"{model} has no hyper-parameter {name!r}{nearest(name, sorted(names))}")
