"""Errors of memory that ran out, whatever package raises them."""

import re
from collections.abc import Sequence

import click

SIGNS = (
    "can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "unable to allocate",
    "bad_alloc", "alloc_failed",
)  # fmt: skip
"""Parts of messages of PyTorch, CUDA, NumPy, compiled code and the system."""
LESS = {
    "lower": ("batch_size", "sampled_items", "latent", "hidden", "jobs", "k"),
    "raise": ("min_item_users", "min_user_items"),
}
"""Options that change how much memory a command needs."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, (OSError, RuntimeError, ImportError)) and any(sign in str(error).lower() for sign in SIGNS)


def explained(error: BaseException, params: Sequence[click.Parameter]) -> str:
    """Return what was asked for, as far as it is known, and the options of the command that need less memory."""
    names = {param.name: param.opts[0] for param in params if isinstance(param, click.Option)}
    ways = [
        f"{verb} {' or '.join(found)}"
        for verb, options in LESS.items()
        if (found := [names[option] for option in options if option in names][:3])
    ]
    if "cuda" in str(error).lower() and "device" in names:
        ways.append("use --device cpu")
    return f"out of memory{_amount(str(error))}; {', or '.join(ways) or 'close other programs, or use less data'}"


def _amount(text: str) -> str:
    """Return the size of the allocation that failed, if a message has it."""
    if match := re.search(r"allocate (\d+) bytes", text):
        size = int(match[1])
        return (
            f": {size / 2**30:,.1f} GiB for one array" if size >= 2**30 else f": {size / 2**20:,.1f} MiB for one array"
        )
    if match := re.search(r"allocate ([\d.,]+ [KMGTPE]?i?B)", text):
        return f": {match[1]} for one array"
    return ""
