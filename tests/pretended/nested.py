"""Parts of nested lists, tuples and dicts."""

from typing import Any


def leaves_of(value: Any, found: list[Any]) -> list[Any]:
    """Add the parts of nested lists, tuples and dicts to a list, and return it; PyTorch's own function is slow."""
    if isinstance(value, list | tuple):
        for part in value:
            leaves_of(part, found)
    elif isinstance(value, dict):
        leaves_of(list(value.values()), found)
    else:
        found.append(value)
    return found


def mapped(change: Any, value: Any) -> Any:
    """Change the parts of nested lists, tuples and dicts."""
    if isinstance(value, list | tuple):
        return type(value)([mapped(change, part) for part in value])
    if isinstance(value, dict):
        return {key: mapped(change, part) for key, part in value.items()}
    return change(value)
