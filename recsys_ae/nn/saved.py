"""Saving and loading of fitted models, common to recommenders and feature autoencoders."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import nn

from recsys_ae.errors import ArtefactError, MissingPackageError
from recsys_ae.nn.history import History
from recsys_ae.nn.loading import at_most, check, fill, refuse_infinite, tensors
from recsys_ae.nn.runtime import free_memory, resolve
from recsys_ae.spec import plug_ins
from recsys_ae.spec.registry import Registry
from recsys_ae.storage import artefact
from recsys_ae.storage.artefact import Artefact
from recsys_ae.storage.checks import brief

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
            If the folder cannot be written, or the model could not be loaded again, such as one of an own class that no
            installed package registers. Nothing is written then, and the fitted model stays in memory: save it at
            another path, or call `storage.rescue.save`, which finds one.
        """
        self._refuse_unregistered()
        extra, names = self.own(), [spec.name() for spec in (self.spec, *self.spec.specs)]
        packages = {name: package for name in names if (package := self.registry.package_of(name))}
        config = {
            "model": names[0],
            **({"packages": packages} if packages else {}),
            "spec": self.spec.stored(),
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
        self._refuse_lost(path, complete)
        artefact.write(Path(path), complete, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Load a model onto a device. Code of other packages is imported only from registered plug-ins.

        Anybody may have made the files, so everything that is read is checked, and the work is bounded by their size.

        Raises
        ------
        ArtefactError
            If the folder is no complete saved model of this kind.
        """
        torch_device = resolve(device)
        stored = artefact.read(Path(path), torch_device, cls.kind, free_memory(torch_device))
        with _explained(f"{path} cannot be loaded by this version"):
            return cls._of(stored, path)

    @classmethod
    def _of(cls, stored: Artefact, path: str | Path) -> Self:
        """Return the model of the contents of a folder."""
        config, state = stored.config, stored.state
        _refuse_other_types(config, {"model": str, "spec": dict, "facts": dict})
        cls._refuse_missing(path, config)
        refuse_infinite(state)
        spec = cls.registry.spec_class(config["model"]).of_stored(config["spec"])
        shape = cls.shape(stored)
        with torch.device("meta"), at_most(len(state)):  # shapes only: random initial weights are not needed
            network = spec.build(shape)
        fill(NETWORK, network, state)
        check(network)
        return cls.of(spec, network.eval(), stored)

    def _refuse_lost(self, path: str | Path, complete: Artefact) -> None:
        """Raise an `ArtefactError` if `load` would not return this model."""
        with _explained(f"cannot save to {path}, because the model could not be loaded again"):
            loaded = self._of(complete, path)
            if loaded.spec != self.spec or _classes(loaded.network) != _classes(self.network):
                raise ValueError(f"the registered {self.spec.name()} builds another network; give the model its name")

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
        packages = config.get("packages", {})
        _refuse_other_types({"packages": packages, **packages}, dict.fromkeys(packages, str) | {"packages": dict})
        for name, package in packages.items():
            if cls.registry.package_of(name) != package:
                why = "no longer registers it" if plug_ins.installed(package) else "is not installed"
                model = f"the model {name!r} of the package {package!r}"
                raise ArtefactError(f"{path} was fitted with {model}, which {why}")


@contextmanager
def _explained(failure: str) -> Iterator[None]:
    """Turn any exception in the context into an `ArtefactError` of one line: plug-ins and PyTorch raise all kinds."""
    try:
        yield
    except (ArtefactError, MissingPackageError):
        raise
    except Exception as error:
        raise ArtefactError(f"{failure}: {brief(error)}") from error


def _refuse_other_types(config: Mapping[str, Any], types: Mapping[str, type]) -> None:
    for name, kind in types.items():
        if not isinstance(config[name], kind):
            raise ValueError(f"the entry {name!r} of its configuration is of type {type(config[name]).__name__}")


def _classes(network: nn.Module) -> list[type]:
    """Return the classes of a network and its parts, without those of PyTorch."""
    parts = (type(part) for part in network.modules())
    return [part for part in parts if part.__module__.partition(".")[0] != "torch"]
