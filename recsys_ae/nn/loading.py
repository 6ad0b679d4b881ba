"""Networks filled with saved tensors; the work is bounded by the tensors that there are, whatever a spec asks for."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from recsys_ae.nn.layers import flatten_recurrent
from recsys_ae.nn.model import Model

SPARE = 1000
"""Layers and tensors that a network may make besides four for each tensor that is saved."""

PIECE = 2**22
"""Numbers of a tensor that are checked at a time."""


@contextmanager
def at_most(n_tensors: int) -> Iterator[None]:
    """Stop a network that is built in the context when it has far more layers and tensors than are saved.

    Raises
    ------
    ValueError
        If the network registers more than four layers, parameters and buffers for each of ``n_tensors``, and `SPARE`.
    """
    thread, limit, made = threading.get_ident(), 4 * n_tensors + SPARE, 0

    def counted(*_: Any) -> None:
        nonlocal made
        if threading.get_ident() != thread:
            return
        made += 1
        if made > limit:
            raise ValueError(f"its hyper-parameters ask for a network of far more than the {n_tensors:,} saved tensors")

    registrations: tuple[Any, ...] = (
        hooks.register_module_module_registration_hook,
        hooks.register_module_parameter_registration_hook,
        hooks.register_module_buffer_registration_hook,
    )
    handles = [register(counted) for register in registrations]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a module, with ``prefix`` and a dot before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def fill(prefix: str, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load what `tensors` returned into a module, without a copy.

    Raises
    ------
    RuntimeError, ValueError
        If a tensor is missing, is not one of the module, or has another shape or type.
    """
    own = {name.removeprefix(f"{prefix}."): tensor for name, tensor in state.items() if name.startswith(f"{prefix}.")}
    built = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    module.load_state_dict(own, assign=True)
    flatten_recurrent(module)
    for name, dtype in built.items():
        if own[name].dtype != dtype:
            raise ValueError(f"the tensor {prefix}.{name} is of type {own[name].dtype}, not {dtype}")


def check(network: nn.Module) -> None:
    """Raise a `ValueError` if the tensors of a network, or of a part of it, do not fit together."""
    for part in network.modules():
        if isinstance(part, Model):
            part.check_loaded()


def refuse_infinite(state: Mapping[str, Tensor]) -> None:
    """Raise a `ValueError` if a tensor has a number that is not finite."""
    for name, tensor in state.items():
        # In pieces, because the comparison needs more memory than the numbers.
        pieces = torch.split(tensor.flatten(), PIECE) if tensor.is_floating_point() else ()
        if not all(piece.isfinite().all() for piece in pieces):
            raise ValueError(f"the tensor {name} has numbers that are not finite")


def epochs_of(stored: object) -> Sequence[Mapping[str, float]]:
    """Return the measurements of the epochs of a saved model; a `ValueError` if they are none."""
    if not isinstance(stored, list) or not all(isinstance(epoch, dict) for epoch in stored):
        raise ValueError("its history is no list of measurements")
    values = (value for epoch in stored for value in epoch.values())
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise ValueError("its history has measurements that are no numbers")
    return stored


def counts(stored: object, n: int, what: str) -> list[Any]:
    """Return ``n`` whole numbers that are not negative; a `ValueError` that names ``what`` if they are none."""
    if not isinstance(stored, list) or len(stored) != n or not all(is_count(number) for number in stored):
        raise ValueError(f"{what} is not {n} whole numbers")
    return stored


def is_count(number: object) -> bool:
    """Return True for a whole number from 0 to 2^31 − 1, the most rows and columns that a matrix may have."""
    return type(number) is int and 0 <= number < 2**31


def form_of(stored: object, width: int) -> tuple[int, ...]:
    """Return the form of a row of features; a `ValueError` if it does not make ``width`` columns."""
    length = len(stored) if isinstance(stored, list) else -1
    if length not in (0, 2, 3):
        raise ValueError("the form of its features is none of a table, of sequences or of images")
    form = tuple(counts(stored, length, "the form of its features"))
    size = 1
    for side in form:
        size *= side
    if form and size != width:
        raise ValueError(f"the form of its features is that of {size:,} columns, not of {width:,}")
    return form


def fact(facts: object, name: str, kind: type | tuple[type, ...], expected: object = ...) -> Any:
    """Return an entry of a model's metadata; a `ValueError` if it is missing, of another type or not as expected."""
    value = facts.get(name) if isinstance(facts, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) or (expected is not ... and value != expected):
        raise ValueError(f"the entry {name!r} of its metadata does not fit the model")
    return value


def check_remarks(facts: dict[str, Any]) -> None:
    """Raise a `ValueError` unless the remarks in a model's metadata, if there are any, are sentences."""
    remarks = facts.get("remarks", [])
    if not isinstance(remarks, list) or not all(isinstance(remark, str) for remark in remarks):
        raise ValueError("the remarks in its metadata are no sentences")
