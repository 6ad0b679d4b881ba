"""Names and values of parameters and metrics in the form that MLflow accepts."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_NAME = 250
LONGEST_PARAMETER = 6000


def name(text: str) -> str:
    """Return a name that MLflow accepts: ``valid/ndcg@100`` becomes ``valid/ndcg_at_100``."""
    text = re.sub(r"[^\w.\- /]", "_", text.replace("@", "_at_"))
    # MLflow treats names as paths and refuses paths that are not in their shortest form.
    folders = [folder for folder in text.split("/") if folder.strip(".")]
    return "/".join(folders)[:LONGEST_NAME].rstrip("/") or "_"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries, with their names joined by dots."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def written(value: Any) -> str:
    """Return a parameter's value as text; collections become JSON."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def shortened(text: str, longest: int = LONGEST_PARAMETER) -> str:
    """Return a text, cut with an ellipsis if it is too long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
