"""Nested values with tensors, such as the state of an optimizer, as JSON and a file of tensors."""

import math
from typing import Any

from recsys_ae.storage.tensors import State

TENSOR, LIST, PAIRS, NUMBER = "tensor", "list", "pairs", "number"
"""Keys of the JSON objects that stand for a tensor, a list or tuple, a dict, and a number that JSON cannot write."""


def taken_apart(value: Any) -> tuple[Any, State]:
    """Return a value as JSON in which names stand for the tensors, and the tensors by name.

    Parameters
    ----------
    value
        Tensors, numbers, texts and None in dicts, lists and tuples. Keys are texts and whole numbers.

    Raises
    ------
    TypeError
        If there is a value of another type.
    """
    tensors: State = {}
    return _taken_apart(value, tensors), tensors


def put_together(plain: Any, tensors: State) -> Any:
    """Return the value that `taken_apart` took apart; a tuple comes back as a list.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        If the JSON was not made by `taken_apart`.
    """
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == TENSOR:
        return tensors[content]
    if kind == LIST:
        return [put_together(part, tensors) for part in content]
    if kind == PAIRS:
        return {key: put_together(part, tensors) for key, part in content}
    if kind == NUMBER:
        return float(content)
    raise ValueError(f"{kind!r} is not one of {TENSOR}, {LIST}, {PAIRS}, {NUMBER}")


def _taken_apart(value: Any, tensors: State) -> Any:
    if isinstance(value, dict):
        return {PAIRS: [[_key(key), _taken_apart(part, tensors)] for key, part in value.items()]}
    if isinstance(value, (list, tuple)):
        return {LIST: [_taken_apart(part, tensors) for part in value]}
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER: str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "untyped_storage"):
        name = str(len(tensors))
        tensors[name] = value
        return {TENSOR: name}
    raise TypeError(f"{type(value).__name__} cannot be saved; use tensors, numbers, texts, dicts and lists")


def _key(key: Any) -> int | str:
    if isinstance(key, (int, str)):
        return key
    raise TypeError(f"a key {key!r} cannot be saved; use texts and whole numbers")
