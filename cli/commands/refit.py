"""``recsys-ae refit DIR``: a saved model fitted again on all users."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import feature_source, memory, options
from ..data_options import load, titles
from ..display import Display
from ..framework import Option, Positional, as_command
from ..mlflow_runs import log_data
from ..model_commands import typed_name
from ..param_types import FILE, Whole
from ..report import show_costs, show_data
from ..saved import divided, moved, recipe_of
from ..training import Task, carry_out, command_line

if TYPE_CHECKING:
    from recsys_ae.nn.checkpoints.settings import Checkpoint
    from recsys_ae.nn.runtime import Run
    from recsys_ae.recommender.recommender import Recommender

FEATURES = (
    f"Item features of the fit, if it had any: {options.FEATURE_SOURCES} They are not saved with the model. "
    f"{options.REPEATABLE}"
)
OWN = {"seed", "out", "config"}
"""Options of `options.run` that this command has with other defaults, or not at all."""

PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    *moved(),
    options.data_dir(),
    options.cache(),
    Option(["--item-features"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=options.DATA, help=FEATURES),
    Option(["--seed"], type=Whole(0, 2**63 - 1), section=options.RUN,
           help="Random seed of the training.  [default: that of the fit]"),
    Option(["--out"], type=FILE, metavar="DIR", section=options.RUN,
           help="Folder of the refitted model.  [default: DIR-refit]"),
    *(option for option in options.run() if option.name not in OWN),
    *options.checkpoints(None),
    options.register(),
    options.dry_run(),
]  # fmt: skip


@as_command("refit", PARAMS)
def command(folder: Path, **settings: Any) -> None:
    """Fit a saved model again on all users.

    The training, validation and test users of the fit are all for training, with the same hyper-parameters, filters and
    seed. The training ends with the epoch that the fit kept, and schedules go by the planned epochs as before. Members
    of a blend keep their epochs and weights. Nobody is left to evaluate the new model on; it is meant for use.
    """
    memory.thrifty()
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    carry_out(Refit(Recommender.load(folder, device="cpu"), folder, settings))


class Refit(Task):
    """A refit of a saved model to all interactions of its recipe."""

    noun = "model"

    def __init__(self, model: "Recommender", folder: Path, settings: Mapping[str, Any]) -> None:
        from recsys_ae.recommender.refit_plan import Plan  # noqa: PLC0415

        self.plan, self.fitted, self.folder = Plan.of(model), model, folder
        named = folder if folder.name else folder.absolute()
        defaults = {"out": named.with_name(f"{named.name}-refit"), "seed": self.plan.seed}
        self.settings = {**settings, **{name: v for name, v in defaults.items() if settings[name] is None}}
        self.display, self.spec = Display(quiet=settings["quiet"]), self.plan.spec

    @property
    def title(self) -> str:
        """Name of the folder of the refitted model."""
        return f"{self.folder.name}-refit"

    def read(self, run: "Run") -> Mapping[str, int]:
        """Read and filter the data, check that they are those of the fit, and read the features of the items."""
        from recsys_ae.nn.footprint import memory  # noqa: PLC0415
        from recsys_ae.nn.model import Shape, Stats  # noqa: PLC0415

        settings, recipe = self.settings, recipe_of(self.fitted, self.folder, self.settings)
        names = settings["item_features"]
        self.features = feature_source.read_all(names, settings["data_dir"]) if names else None
        self.plan.refuse_other_features(self.features)
        dataset = divided(self.fitted, self.folder, recipe, cache=settings["cache"])[0].dataset
        del self.fitted  # its weights are not needed any more
        everybody = recipe.unsplit()
        if recipe.test_data is not None:  # another file, to be joined to the first
            dataset = load(everybody, cache=settings["cache"])
        self.prepared = everybody.read(dataset)
        split = self.prepared.split()
        show_data(self.display, self.prepared, split)
        self.data = dataclasses.replace(split.train, timestamps=None)
        before, counts = self.plan.facts, f"{self.data.nnz:,} interactions of {self.data.shape[0]:,} users"
        fit_had = f"the fit had {before['interactions']:,} of {before['users']:,}"
        self.display.line(f"All {counts} are for training; {fit_had}. {self._end()}".rstrip())
        shape = Shape(*self.data.shape, 0 if self.features is None else self.features.width, run.torch_device)
        self.resolved = self.spec.resolved(Stats(self.data.matrix))
        return memory(self.resolved, shape, self.data.nnz)

    def check(self, run: "Run") -> None:
        """Raise an error if the memory does not suffice."""
        from recsys_ae.recommender import preflight  # noqa: PLC0415

        width = 0 if self.features is None else self.features.width
        preflight.check(self.resolved, self.data, run, width)

    def model(self) -> "Recommender":
        """Return the untrained model with the notes of the refit."""
        from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

        model, prepared = Recommender(self.spec), self.prepared
        recipe = prepared.recipe.as_json()
        values = {**self.settings, **recipe, "folder": self.folder}
        model.notes = {
            "options": {name: str(v) if isinstance(v, Path) else v for name, v in sorted(values.items())},
            "command": command_line(),
            "titles": titles(prepared.items, self.data.items),
        }
        del self.prepared
        return model

    def learn(self, model: "Recommender", run: "Run", checkpoint: "Checkpoint | None") -> "Recommender":
        """Fit the model on all users, and log the recipe and what the model was made from."""
        from recsys_ae.recommender.refitting import carry_out as refit  # noqa: PLC0415

        origin = self.data.origin
        if origin is not None:
            recipe = {name: value for name, value in origin.recipe.items() if value is not None}
            run.tracker.parameters({"data": recipe, "split_fingerprint": origin.fingerprint})
        log_data(run.tracker, self.data)
        run.tracker.parameters({"refit": self.plan.record()})
        refitted = refit(self.plan, self.data, self.features, run, checkpoint)
        refitted.notes = {**refitted.notes, **model.notes}
        return refitted

    def show(self, model: "Recommender", out: Path) -> None:
        """Print the validation metrics before the refit, and the time, memory and folder of the refit."""
        rows: list[tuple[str, Any]] = []
        for row, (name, value) in enumerate(self.plan.valid.items()):
            rows.append(("" if row else "validation", f"{name:<9} {value:.4f}{'' if row else ' before the refit'}"))
        show_costs(self.display, model, out, rows)
        self.display.line(f"\nNext:\n  recsys-ae recommend {shlex.quote(str(out))} --out top10.csv")

    def _end(self) -> str:
        """Return a sentence on the epoch that ends the training; nothing for models without epochs."""
        kept = self.plan.last_epochs
        if len(kept) == 1:
            end = f"The training ends with epoch {kept[0]} of {getattr(self.spec, 'epochs', None)}, which the fit kept."
            return "" if kept[0] is None else end
        ends = [
            f"{typed_name(spec.name())} with epoch {epoch}"
            for spec, epoch in zip(self.spec.specs, kept, strict=True)
            if epoch is not None
        ]
        return f"The members keep their epochs: {', '.join(ends)}." if ends else ""
