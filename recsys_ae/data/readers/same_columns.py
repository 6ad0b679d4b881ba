"""Options of reading that a file takes over from other data that it resembles, such as those of a fit."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from recsys_ae.data.parsing import NONE
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.column_names import is_header
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.parts.places import parts_of
from recsys_ae.data.readers.read import open_parts
from recsys_ae.data.readers.table import Table
from recsys_ae.data.readers.text_blocks import utf8_blocks
from recsys_ae.data.readers.text_format import TextFormat

COLUMNS = ("user_column", "item_column", "rating_column", "timestamp_column")
Options: TypeAlias = Mapping[str, Any]


def taken_over(path: str | Path, form: TextFormat, own: Options, others: Options) -> dict[str, Any]:
    """Return the options among ``others`` that ``own`` does not set and that the file can be read with.

    Both map the names of the options of `Reading` to their values; ``form`` is the format that ``own`` describes.
    """
    changes: dict[str, Any] = {}
    with errors_of(path, form.encoding):
        parts = parts_of(path)
        if form.encoding == TextFormat.encoding != others["encoding"] and not all(
            _is_utf8(part.source) for part in parts
        ):
            changes["encoding"] = others["encoding"]
        if form.quote == TextFormat.quote:
            changes["quote"] = others["quote"]
        if form.comment is None:
            changes["comment"] = others["comment"]
        form = dataclasses.replace(form, **changes)
        table = open_parts(parts, form)
        if table.names is None and form.separator is None and others["separator"] is not None:
            other = open_parts(parts, dataclasses.replace(form, separator=others["separator"]))
            if len(other.first) > len(table.first):
                table, changes["separator"] = other, others["separator"]
    return changes | _columns(table, own, others)


def _columns(table: Table, own: Options, others: Options) -> dict[str, Any]:
    """Return the columns and the header to take over."""
    names = [] if table.names is None and own["header"] is False else [name.strip() for name in table.first]
    hints = {name: others[name] for name in COLUMNS if own[name] is None and others[name] is not None}
    changes = {name: hint for name, hint in hints.items() if hint in names or (hint == NONE and NONE not in names)}
    usual = table.names is not None or (names and is_header(names)) or any(hint != NONE for hint in changes.values())
    if usual:
        return changes
    if own["header"] is None and others["header"] is not None:
        changes["header"] = others["header"]
    return changes | {name: hint for name, hint in hints.items() if isinstance(hint, int) and hint < len(table.first)}


def _is_utf8(source: Source) -> bool:
    with source.open() as stream:
        try:
            for _ in utf8_blocks(stream, "utf-8-sig"):
                pass
        except UnicodeDecodeError:
            return False
    return True
