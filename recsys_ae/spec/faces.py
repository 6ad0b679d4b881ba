"""Lazy imports of a package's public names."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy(
    package: str, homes: Mapping[str, str], others: Callable[[str], Any] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports its public names when they are first used.

    Parameters
    ----------
    package
        The package's ``__name__``.
    homes
        Each public name with the module that defines it: ``module``, or ``module:name`` if the name differs there.
    others
        Function that returns the attribute of any other name, or raises an `AttributeError`.
    """

    def attribute(name: str) -> Any:
        """Import a public name from its home."""
        if name not in homes:
            if others is not None:
                return others(name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, renamed = homes[name].partition(":")
        value = getattr(import_module(module), renamed or name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        """List the public names."""
        public: Sequence[str] = sys.modules[package].__all__
        return sorted(public)

    return attribute, listed
