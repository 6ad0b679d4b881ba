"""``recsys-ae fit MODEL``: a command for each model, generated from the model's file."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import config, feature_source, options
from ..data_options import load, titles
from ..framework import Option
from ..mlflow_runs import log_data
from ..model_commands import ModelGroup, typed_name
from ..param_types import NONE
from ..report import show_data, show_fit
from ..training import Task, command_line, fit

if TYPE_CHECKING:
    from recsys_ae.nn.checkpoints.settings import Checkpoint
    from recsys_ae.nn.model import Spec
    from recsys_ae.nn.runtime import Run
    from recsys_ae.recommender.recommender import Recommender


def shared(spec: "type[Spec] | None" = None) -> list[Option]:
    """Return the options of every model; models that learn from ratings have some other defaults."""
    rated = spec is not None and spec.feedback == "explicit"
    return [
        options.data(),
        options.data_dir(),
        options.cache(),
        *options.columns(),
        options.item_features(),
        *options.filters(rated=rated),
        *options.splits(rated=rated),
        *options.run(),
        *options.checkpoints(spec),
        options.register(),
        options.dry_run(),
    ]


class FitRecommender(Task):
    """A fit to the training part of a split, without the test users."""

    noun = "model"

    def __init__(self, spec_class: "type[Spec]", settings: Mapping[str, Any]) -> None:
        from recsys_ae.data.recipe import DataRecipe  # noqa: PLC0415

        super().__init__(spec_class, settings)
        threshold = _threshold(spec_class, settings["min_rating"])
        self.recipe = DataRecipe.from_options({**settings, "min_rating": threshold})

    @property
    def title(self) -> str:
        """Names of the data and the model."""
        return f"{self.recipe.title}-{typed_name(self.spec.name())}"

    def read(self, run: "Run") -> Mapping[str, int]:
        """Read, filter and split the data, and read the features of the items."""
        from recsys_ae.nn.footprint import memory  # noqa: PLC0415
        from recsys_ae.nn.model import Shape, Stats  # noqa: PLC0415

        settings = self.settings
        prepared = self.recipe.read(load(self.recipe, cache=settings["cache"]))
        split = prepared.split()
        show_data(self.display, prepared, split)
        names, folder = settings["item_features"], settings["data_dir"]
        self.features = feature_source.read_all(names, folder) if names else None
        self.prepared, self.split = prepared, split
        self.shape = Shape(*split.train.shape, 0 if self.features is None else self.features.width, run.torch_device)
        return memory(self.spec.resolved(Stats(split.train.matrix)), self.shape, split.train.nnz)

    def check(self, run: "Run") -> None:
        """Raise an error if the data or the memory do not suffice."""
        from recsys_ae.nn.model import Stats  # noqa: PLC0415
        from recsys_ae.recommender import preflight  # noqa: PLC0415

        train = self.split.train
        preflight.check(self.spec.resolved(Stats(train.matrix)), train, run, self.shape.features)

    def model(self) -> "Recommender":
        """Return the model, and keep only the data that it learns from."""
        from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

        model, prepared, split = Recommender(self.spec), self.prepared, self.split
        model.notes = {
            "source": prepared.recipe.as_json(),
            "fingerprint": split.fingerprint,
            "options": _resolved(self.settings, prepared.recipe.as_json()),
            "command": command_line(),
            "titles": titles(prepared.items, split.train.items),
        }
        # Data that no model learns from are freed before the training.
        self.train, self.valid = dataclasses.replace(split.train, timestamps=None), split.valid
        del self.prepared, self.split
        return model

    def learn(self, model: "Recommender", run: "Run", checkpoint: "Checkpoint | None") -> "Recommender":
        """Fit the model, and log its data recipe."""
        recipe = {name: value for name, value in model.notes["source"].items() if value is not None}
        run.tracker.parameters({"data": recipe, "split_fingerprint": model.notes["fingerprint"]})
        log_data(run.tracker, self.train)
        return model.fit(self.train, valid=self.valid, item_features=self.features, run=run, checkpoint=checkpoint)

    def show(self, model: "Recommender", out: Path) -> None:
        """Print the metrics of the validation users."""
        show_fit(self.display, model, out)


def _threshold(spec_class: "type[Spec]", min_rating: float | str) -> float | str:
    """Return the rating threshold; a model that learns from ratings cannot have one."""
    if spec_class.feedback != "explicit":
        return min_rating
    if not isinstance(min_rating, str):
        name = typed_name(spec_class.name())
        raise click.UsageError(
            f"--min-rating {min_rating:g}: {name} learns from all ratings with their values; leave the option out",
            click.get_current_context(),
        )
    return NONE


def _resolved(settings: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the final value of every option, as JSON."""
    values = {**settings, **recipe}
    return {name: str(value) if isinstance(value, Path) else value for name, value in sorted(values.items())}


class Fit(ModelGroup):
    """A group that finds the name of the model among the options, or in the configuration file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments with the model first."""
        if args and not args[0].startswith("-"):
            return super().parse_args(ctx, args)
        valued = {name for option in shared() if not option.is_flag for name in option.opts}
        names = self.list_commands(ctx)
        for position, (previous, word) in enumerate(zip(["", *args], args, strict=False)):
            if previous not in valued and typed_name(word) in names:
                return super().parse_args(ctx, [word, *args[:position], *args[position + 1 :]])
        if "--help" in args:
            return super().parse_args(ctx, ["--help"])
        return super().parse_args(ctx, [_configured(ctx, args), *args])


def _configured(ctx: click.Context, args: list[str]) -> str:
    """Return the model that a configuration file names."""
    for position, word in enumerate(args):
        name, _, value = word.partition("=")
        if name == "--config":
            path = value or "".join(args[position + 1 : position + 2])
            model: Any = config.read(Path(path), ctx).get(config.MODEL)
            if isinstance(model, str):
                return model
    raise click.UsageError("the model is missing: recsys-ae fit MODEL; `recsys-ae models` lists the models", ctx)


@click.group(
    cls=Fit, package="recsys_ae.models", title="Models", shared=shared, fit=partial(fit, FitRecommender),
    subcommand_metavar="MODEL [OPTIONS]",
)  # fmt: skip
def command() -> None:
    """Fit a model and save it.

    `recsys-ae fit MODEL --help` also shows the hyper-parameters of a model.
    """
