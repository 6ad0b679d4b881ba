"""Registry of models: the files of a folder, and the plug-ins of installed packages."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from recsys_ae.errors import ConfigError
from recsys_ae.spec import plug_ins
from recsys_ae.spec.hyper import nearest
from recsys_ae.spec.plug_ins import plain

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

S = TypeVar("S")
USAGE = "When to use: "
"""Beginning of a paragraph of a model's docstring."""


class Registry(Generic[S]):
    """Models by name. Each file of the folder is a model, except files that begin with ``_``.

    A plug-in cannot take the name of a model of the folder, nor of a plug-in before it on the path. `remarks` reports
    those that are ignored.

    Parameters
    ----------
    package, folder
        The package whose files are models, and its folder.
    what
        Word for an entry in messages, such as ``"model"``.
    group
        Group of entry points that add models; None for the models of the folder only.
    """

    def __init__(self, package: str, folder: str, what: str, group: str | None = None) -> None:
        self.package, self.folder, self.what, self.group = package, Path(folder), what, group

    def built_in(self) -> tuple[str, ...]:
        """Return the names of the models of the folder; none is imported."""
        files = (file.name for file in pkgutil.iter_modules([str(self.folder)]))
        return tuple(sorted(name for name in files if not name.startswith("_")))

    def plug_ins(self) -> dict[str, "EntryPoint"]:
        """Return the plug-ins by name; none is imported."""
        entries: dict[str, EntryPoint] = {}
        for entry in self._registered():
            entries.setdefault(plain(entry.name), entry)
        return {name: entries[name] for name in sorted(entries.keys() - set(self.built_in()))}

    def names(self) -> tuple[str, ...]:
        """Return the names of all models; none is imported."""
        return tuple(sorted((*self.built_in(), *self.plug_ins())))

    def summary(self, name: str) -> str:
        """Return the docstring of a model's file, or the package of a plug-in; the model is not imported."""
        package = self.package_of(name)
        if package is not None:
            return f"from the package {package}"
        source = (self.folder / f"{plain(name)}.py").read_text(encoding="utf-8")
        return inspect.cleandoc(ast.get_docstring(ast.parse(source)) or "")

    def usage(self, name: str) -> str:
        """Return what the docstring of a model's file says after "When to use:"; empty if it says nothing."""
        paragraphs = [" ".join(paragraph.split()) for paragraph in self.summary(name).split("\n\n")]
        return next((text.removeprefix(USAGE) for text in paragraphs if text.startswith(USAGE)), "")

    def spec_class(self, name: str) -> type[S]:
        """Return the class of a model's hyper-parameters; ``mult-vae`` and ``mult_vae`` are the same name."""
        key = plain(name)
        if key in self.built_in():
            return self._of_file(key)
        entry = self.plug_ins().get(key)
        if entry is None:
            raise ConfigError(f"there is no {self.what} {name!r}{nearest(key, self.names())}")
        cls: type[S] = plug_ins.load(entry)
        return cls

    def package_of(self, name: str) -> str | None:
        """Return the package of a plug-in; None for a model of the folder and for an unknown name."""
        key = plain(name)
        entry = None if key in self.built_in() else self.plug_ins().get(key)
        return None if entry is None else plug_ins.package_of(entry)

    def owns(self, cls: type) -> bool:
        """Return True if a class is registered: its name leads back to it."""
        name = plug_ins.name_of(cls)
        return name in self.names() and self.spec_class(name) is cls

    def remarks(self, name: str | None = None) -> tuple[str, ...]:
        """Report the plug-ins, of all names or of one, that are ignored because their name is taken."""
        keepers = {key: plug_ins.package_of(entry) for key, entry in self.plug_ins().items()}
        sentences = []
        for entry in self._registered():
            key, package = plain(entry.name), plug_ins.package_of(entry)
            if keepers.get(key) != package and (name is None or plain(name) == key):
                keeper = f"the package {keepers[key]}" if key in keepers else "recsys_ae"
                sentences.append(
                    f"the {self.what} {entry.name!r} of the package {package} is ignored: its name is taken by {keeper}"
                )
        return tuple(sentences)

    def class_names(self) -> tuple[str, ...]:
        """Return the class names of the folder's models; none is imported."""
        return tuple(self._class_in((self.folder / f"{name}.py").read_text("utf-8")) for name in self.built_in())

    def attribute(self, name: str) -> Any:
        """Return the class of that name from the folder; serves as the package's ``__getattr__``."""
        for key in self.built_in():
            if key.replace("_", "") == name.lower() and self._of_file(key).__name__ == name:
                return self._of_file(key)
        raise AttributeError(f"module {self.package!r} has no attribute {name!r}")

    def _registered(self) -> Iterator["EntryPoint"]:
        return iter(() if self.group is None else plug_ins.registered(self.group))

    def _class_in(self, source: str) -> str:
        """Return the name of the one dataclass with ``build`` in a source text."""
        classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.decorator_list)
        (name,) = (node.name for node in classes if any(getattr(member, "name", "") == "build" for member in node.body))
        return name

    def _of_file(self, key: str) -> type[S]:
        """Import a file and return the one dataclass with ``build`` that it defines."""
        module = importlib.import_module(f"{self.package}.{key}")
        members = (member for member in vars(module).values() if plug_ins.is_spec(member))
        (cls,) = (member for member in members if member.__module__ == module.__name__)
        return cls  # type: ignore[no-any-return]
