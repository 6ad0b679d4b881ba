"""Ways to split data. The folder is the registry: a new file is a new split.

The first line of a file's docstring names the part of the data that is held out. The file defines a function
``split(data, *, …)`` that returns a `Split` of the filtered data. Its keyword-only parameters are the options that it
takes: options of the recipe, by their names, and others of its own, with numbers or text as defaults. An option that is
not set has its default. A split of a given training and test part takes two more parameters: ``test``, the test part,
and ``read``, the training part before the minimum counts removed users and items (None without minimum counts). A file
with ``RATED = True`` keeps all ratings unchanged unless the recipe sets a threshold. A file with ``JOINS = True`` gets
the interactions of a given training and test part as one.

Everything but the function is read from the source text, without importing the file.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from recsys_ae.data.registry_folder import files, source
from recsys_ae.errors import ConfigError, arguments_named, renamed

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions
    from recsys_ae.data.splits.holdout import Split

FIRST = ("strong", "weak", "leave_last", "time", "ratings", "given", "none")
"""Files whose splits are listed first, in this order; the others follow by name."""

PARTS = ("test", "read")
"""Parameters that a split of a given training and test part takes besides options."""

RECIPE_OPTIONS = {
    "n_valid": "valid_users", "n_test": "test_users", "valid": "valid_share", "seed": "split_seed",
    "recipe": "split_recipe", "timestamp": "timestamp_column",
}  # fmt: skip
"""The recipe's names of arguments of the functions that split, for error messages."""


@dataclass(frozen=True)
class Kind:
    """A kind of split.

    Attributes
    ----------
    summary
        Part of the data that is held out.
    options
        Names of the parameters besides the data.
    defaults
        Defaults of the parameters that have one.
    rated
        True if ratings are unchanged unless the recipe sets a threshold.
    joins
        True if a given test part is joined to the training part before the data are filtered and split.
    """

    name: str
    summary: str
    options: tuple[str, ...]
    defaults: Mapping[str, Any]
    rated: bool
    joins: bool = False

    @property
    def parts(self) -> bool:
        """True if the split takes a given training and test part."""
        return "test" in self.options

    def split(self, data: "Interactions", **options: Any) -> "Split":
        """Split data; errors name the options of the recipe. This imports the file."""
        module = import_module(f"{__name__}.{self.name.replace('-', '_')}")
        with arguments_named(renamed(RECIPE_OPTIONS)):
            split: Split = module.split(data, **options)
        return split


def names() -> tuple[str, ...]:
    """Return the names of all splits."""
    return tuple(name.replace("_", "-") for name in files(__path__, FIRST))


def kind(name: str) -> Kind:
    """Return a split by its name."""
    return _described(name, source(__path__, name.replace("-", "_")))


def that_take(option: str) -> tuple[str, ...]:
    """Return the names of the splits that take this option of the recipe, or a parameter such as ``test``."""
    return tuple(name for name in names() if _takes(kind(name), option))


def _takes(split: Kind, option: str) -> bool:
    return option in split.options or (option == "test_data" and (split.parts or split.joins))


@cache
def _described(name: str, text: str) -> Kind:
    """Return the split that the text of a file defines."""
    tree = ast.parse(text)
    summary = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "split")
    function = next(functions, None)
    if function is None:
        raise ConfigError(f"the file of the split {name!r} defines no function split(data, *, ...)")
    options = tuple(argument.arg for argument in function.args.kwonlyargs)
    values = zip(options, function.args.kw_defaults, strict=True)
    defaults = {name: value.value for name, value in values if isinstance(value, ast.Constant)}
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    flags = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    summary = summary[:1].lower() + summary[1:]
    return Kind(name, summary, options, defaults, "RATED" in flags, "JOINS" in flags)
