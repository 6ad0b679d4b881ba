"""Folder of top-N lists in parts, written block by block: continued if interrupted, and left alone if up to date.

``_manifest.json`` says what the lists were made from, and which parts are complete. Its name begins with ``_``, so that
programs that read a folder of Parquet files leave it out.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import ArtefactError

from .. import table_writer

if TYPE_CHECKING:
    import pandas as pd

MANIFEST, ROOM = "_manifest.json", "_blocks-"
FORMAT = 1


class ListsFolder:
    """A folder of lists.

    Parameters
    ----------
    identity
        Everything that the lists depend on, as JSON values by name.
    suffix
        Format of the parts: ``.parquet``, ``.csv`` or ``.jsonl``.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], suffix: str) -> None:
        self.path, self.suffix = path, suffix
        self.identity: dict[str, Any] = json.loads(json.dumps({**identity, "format": [FORMAT, suffix]}))
        self.content: dict[str, Any] = {}

    @contextmanager
    def opened(self, *, overwrite: bool) -> Iterator[None]:
        """Begin the lists, or continue the same ones; no other process can do so inside the context.

        Raises
        ------
        ArtefactError
            If the folder holds other files, or other lists and may not be overwritten, or is used by another process.
        """
        from recsys_ae.storage import atomic  # noqa: PLC0415
        from recsys_ae.storage.leftovers import is_temporary, sweep  # noqa: PLC0415

        if self.path.exists() and not self.path.is_dir():
            raise ArtefactError(f"{self.path} is not a folder; choose another name")
        with atomic.errors_named(f"write {self.path}"):
            self.path.mkdir(exist_ok=True)
        with self._locked():
            sweep(self.path)
            for room in self.path.glob(f"{ROOM}*"):  # of a process that was killed
                shutil.rmtree(room)
            stored = self._stored()
            if stored is None:
                others = [entry.name for entry in self.path.iterdir() if not is_temporary(entry.name)]
                if others:
                    raise ArtefactError(f"{self.path} holds other files, such as {others[0]}; choose an empty folder")
            elif stored.get("made from") != self.identity:
                self._refuse_other(stored, overwrite=overwrite)
                self._clear()
                stored = None
            self.content = stored or {"made from": self.identity, "complete": False, "blocks": {}}
            if stored is None:
                self._save()
            yield

    @property
    def is_complete(self) -> bool:
        """True if all lists are written."""
        return self.content.get("complete") is True and all(map(self.has, self.content["blocks"]))

    @property
    def blocks(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known of each complete block."""
        blocks: Mapping[str, Mapping[str, Any]] = self.content["blocks"]
        return blocks

    def has(self, block: int | str) -> bool:
        """Return True if all parts of a block are written and unchanged."""
        known = self.content["blocks"].get(str(block))
        return known is not None and all(
            (self.path / name).is_file() and (self.path / name).stat().st_size == part["bytes"]
            for name, part in known["parts"].items()
        )

    def write(
        self, block: int, parts: "Iterable[tuple[int, Iterable[pd.DataFrame]]]", *, safe_cells: bool
    ) -> dict[str, Any]:
        """Write the parts of a block, each with its number of users and its tables; return what is known of them."""
        known: dict[str, Any] = {}
        for number, (n_users, tables) in enumerate(parts):
            name = f"part-{block:05}-{number:03}{self.suffix}"
            rows = 0
            with table_writer.writer(self.path / name, overwrite=True, safe_cells=safe_cells, is_result=False) as write:
                for table in tables:
                    write(table)
                    rows += len(table)
            known[name] = {"users": n_users, "rows": rows, "bytes": (self.path / name).stat().st_size}
        return {"parts": known}

    def keep(self, block: int, facts: Mapping[str, Any]) -> None:
        """Write down that a block is complete."""
        self.content["blocks"][str(block)] = dict(facts)
        self._save()

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write down that all lists are complete, and remove parts of blocks that are no longer there."""
        names = {name for block in self.content["blocks"].values() for name in block["parts"]}
        for path in self._parts():
            if path.name not in names:
                path.unlink()
        self.content |= {**facts, "complete": True}
        self._save()

    def _save(self) -> None:
        from recsys_ae.storage import atomic  # noqa: PLC0415

        atomic.write_text(self.path / MANIFEST, json.dumps(self.content, indent=1) + "\n")

    def _stored(self) -> dict[str, Any] | None:
        """Return the manifest; None if there is none."""
        from recsys_ae.storage import checks  # noqa: PLC0415

        path = self.path / MANIFEST
        if not path.exists():
            return None
        try:
            content = json.loads(checks.content(path).decode("utf-8"))
            checks.refuse_deep(content)
            for block in content["blocks"].values():
                for part in block["parts"].values():
                    int(part["bytes"]), int(part["rows"]), int(part["users"])
            return dict(content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = checks.brief(error)
            raise ArtefactError(f"{path} is damaged: {reason}; remove the folder, or choose another one") from error

    def _refuse_other(self, stored: Mapping[str, Any], *, overwrite: bool) -> None:
        if overwrite:
            return
        before = stored.get("made from")
        before = before if isinstance(before, dict) else {}
        names = [name for name in {**before, **self.identity} if before.get(name) != self.identity.get(name)]
        changed = "other data" if names[0] == "data" else f"another {names[0]}"
        values = "" if names[0] in ("model", "data") else f": {before.get(names[0])}, not {self.identity.get(names[0])}"
        raise ArtefactError(
            f"{self.path} holds lists that were made with {changed}{values}; choose another folder, or pass "
            "--overwrite to replace them"
        )

    def _clear(self) -> None:
        """Remove the lists; the manifest goes first, so that nothing is left that looks complete."""
        from recsys_ae.storage import atomic  # noqa: PLC0415

        with atomic.errors_named(f"write {self.path}"):
            with suppress(FileNotFoundError):
                (self.path / MANIFEST).unlink()
            for path in self._parts():
                path.unlink()

    def _parts(self) -> list[Path]:
        return [path for path in self.path.glob("part-*") if path.suffix in table_writer.FORMATS]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from recsys_ae.storage import locks  # noqa: PLC0415

        descriptor = locks.opened(self.path.resolve())
        try:
            if descriptor is not None and locks.take(descriptor) is False:
                raise ArtefactError(f"another process writes lists to {self.path} now; wait for its end")
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)
