"""Saving and loading of fitted models, common to recommenders and feature autoencoders."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from recsys_ae.errors import ArtefactError, ConfigError
from recsys_ae.nn.history import History
from recsys_ae.nn.runtime import resolve
from recsys_ae.spec import plug_ins
from recsys_ae.spec.hyper import build, flatten
from recsys_ae.spec.registry import Registry
from recsys_ae.storage import artefact
from recsys_ae.storage.artefact import Artefact

NETWORK = "network"


class Saved(ABC):
    """A fitted model with everything that is saved: a dataclass with these fields, and those of one kind of model."""

    kind: ClassVar[str]
    """One of `artefact.KINDS`."""
    registry: ClassVar[Registry[Any]]

    spec: Any
    network: nn.Module
    history: History
    metadata: dict[str, Any]
    notes: Mapping[str, Any]

    @abstractmethod
    def own(self) -> Artefact:
        """Return the shape of the network (in ``config``), the ids, and the tensors that are not the network's."""

    @classmethod
    @abstractmethod
    def shape(cls, stored: Artefact) -> Any:
        """Return the shape that the network was built with."""

    @classmethod
    @abstractmethod
    def of(cls, spec: Any, network: Any, stored: Artefact) -> Self:
        """Return the model with this network, whose weights are loaded."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model into a folder.

        Raises
        ------
        ArtefactError
            If the folder cannot be written, or the model's class is not registered and could not be loaded again.
        """
        self._refuse_unregistered()
        extra, names = self.own(), [spec.name() for spec in (self.spec, *self.spec.specs)]
        packages = {name: package for name in names if (package := self.registry.package_of(name))}
        config = {
            "model": names[0],
            **({"packages": packages} if packages else {}),
            "spec": flatten(self.spec),
            "shape": extra.config["shape"],
            "facts": self.metadata,
            "history": self.history,
        }
        complete = dataclasses.replace(
            extra,
            config={**config, **extra.config},
            state=tensors(NETWORK, self.network) | extra.state,
            notes=self.notes,
            kind=self.kind,
        )
        artefact.write(Path(path), complete, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Load a model onto a device. Code of other packages is imported only from registered plug-ins."""
        stored = artefact.read(Path(path), resolve(device), cls.kind)
        try:
            cls._refuse_missing(path, stored.config)
            spec = build(cls.registry.spec_class(stored.config["model"]), stored.config["spec"])
            with torch.device("meta"):  # shapes only: random initial weights are not needed
                network = spec.build(cls.shape(stored))
            fill(NETWORK, network, stored.state)
            return cls.of(spec, network.eval(), stored)
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ArtefactError(f"{path} cannot be loaded by this version: {error}") from error

    def _refuse_unregistered(self) -> None:
        cls = type(self.spec)
        if not self.registry.owns(cls):
            raise ArtefactError(
                f"{cls.__name__} is not registered, so a saved model could not be loaded again: install it with a "
                f'package whose pyproject.toml has [project.entry-points."{self.registry.group}"] with a line such as '
                f'{cls.__name__.lower()} = "{cls.__module__}:{cls.__qualname__}" (a name that no other model has)'
            )

    @classmethod
    def _refuse_missing(cls, path: str | Path, config: Mapping[str, Any]) -> None:
        for name, package in config.get("packages", {}).items():
            if cls.registry.package_of(name) != package:
                why = "no longer registers it" if plug_ins.installed(package) else "is not installed"
                model = f"the model {name!r} of the package {package!r}"
                raise ArtefactError(f"{path} was fitted with {model}, which {why}")


def tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a module, with ``prefix`` and a dot before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def fill(prefix: str, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load what `tensors` returned into a module."""
    module_state = {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in state.items() if name.startswith(f"{prefix}.")
    }
    module.load_state_dict(module_state, assign=True)
