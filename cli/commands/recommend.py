"""``recsys-ae recommend DIR``: top-N lists for users, written in chunks."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .. import options, table_writer
from ..display import counted, note
from ..framework import Option, Positional, as_command, on_interruption
from ..lists.audiences import Request, Unknown
from ..lists.folder import ListsFolder
from ..lists.lists import Lists
from ..param_types import FILE, Whole
from ..saved import moved

LISTS, USERS = "Lists", "Users"
PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Option(["--out"], type=FILE, metavar="FILE|DIR", required=True, section=LISTS,
           help="Output file (.csv, .jsonl or .parquet), or a folder of parts; - is standard output (CSV)."),
    Option(["--format"], type=click.Choice(["parquet", "csv", "jsonl"]), default="parquet", show_default=True,
           section=LISTS, help="Format of the parts in a folder."),
    Option(["--users-per-part"], type=Whole(1), default=100_000, show_default=True, section=LISTS,
           help="Largest number of users in a part of a folder."),
    options.k("Number of items per user.", LISTS),
    Option(["--allow"], type=FILE, metavar="FILE", section=LISTS,
           help="File of the only items to recommend: ids, one per line, or a table with a column of items. With a "
                "column of users, too, each user has a list."),
    Option(["--deny"], type=FILE, metavar="FILE", section=LISTS,
           help="File of items not to recommend, in the format of --allow."),
    Option(["--include-seen"], is_flag=True, section=LISTS,
           help="Also recommend items that the user has interacted with.  "
                "[default: no item that they rated, high or low]"),
    Option(["--cold-items"], multiple=True, metavar="FILE|NAME[:COLUMNS]", section=LISTS,
           help="Features of cold items, with the columns of the fit's --item-features. Items that the model knows are "
                "skipped. Repeat the option to join features by their ids."),
    Option(["--only-cold"], is_flag=True, section=LISTS, help="Recommend only the cold items."),
    Option(["--users"], metavar="all|FILE", section=USERS,
           help="All users of the data, or a file of user ids: one per line, or a table with a column of users.  "
                "[default: all; with --histories, the users of that file]"),
    Option(["--unknown-users"], type=click.Choice(["popular", "skip", "error"]), default="popular", show_default=True,
           section=USERS,
           help="Treatment of users without a history that the model can use: recommend the most popular items, skip "
                "them, or stop."),
    Option(["--histories"], type=FILE, metavar="FILE", section=USERS,
           help="File of interactions of any users, with the columns of the data of the fit, or read with the column "
                "options below. An id of the training data is that user."),
    *moved(),
    options.data_dir(),
    options.cache(),
    *options.columns(),
    options.overwrite("file, or other lists in a folder"),
    options.safe_cells(),
    options.device(),
]  # fmt: skip


@as_command("recommend", PARAMS)
def command(folder: Path, out: Path, k: int, users: str | None, histories: Path | None, **settings: Any) -> None:
    """Write top-N lists with a saved model.

    Items that a user has interacted with are not recommended, even if the filters of the fit removed these
    interactions. Every user gets a list: users who are in no data, or have no history after the filters, get the most
    popular items. The table has the columns user, rank, item, score and, if the data have titles, title.

    An --out without an ending is a folder of parts, for any number of users: histories are read in blocks of users, and
    each part is written in one step. The same command continues lists that were interrupted, and does nothing if they
    are up to date.
    """
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    is_folder = out.suffix == "" and str(out) != "-"
    if is_folder:
        table_writer.refuse_parent(out)
    else:
        table_writer.refuse(out, overwrite=settings["overwrite"])
    model = Recommender.load(folder, device=settings["device"])
    request = Request(model, folder, users, histories, settings)
    lists = Lists(request, k)
    (_write_folder if is_folder else _write_file)(lists, out, settings)


def _write_file(lists: Lists, out: Path, settings: Mapping[str, Any]) -> None:
    audience = lists.request.at_once()
    written, n_users = 0, len(audience.users)
    with (
        table_writer.writer(out, overwrite=settings["overwrite"], safe_cells=settings["safe_cells"]) as write,
        counted("users") as show,
    ):
        for done, frame in lists.of(audience):
            write(frame)
            written += len(frame)
            show(done, n_users)
    lists.say()
    note(f"{written:,} recommendations for {n_users:,} users" + (f" in {out}" if str(out) != "-" else ""))


def _write_folder(lists: Lists, out: Path, settings: Mapping[str, Any]) -> None:
    """Write a folder of parts, block by block."""
    started = time.monotonic()
    folder = ListsFolder(out, lists.identity(), f".{settings['format']}")
    with folder.opened(overwrite=settings["overwrite"]):
        if folder.is_complete:
            note(f"{out} is up to date: {_counted(folder)}")
            return
        on_interruption(f"the finished parts are in {out}; the same command goes on")
        unknown = Unknown(settings["unknown_users"])
        with counted("blocks of users") as show:
            for block in lists.blocks(folder.has, room=out):
                audience = block.audience if lists.is_served else unknown.served(block.audience)
                parts = lists.parts(audience, settings["users_per_part"])
                facts = folder.write(block.number, parts, safe_cells=settings["safe_cells"])
                folder.keep(block.number, facts)
                show(block.number + 1, block.n_blocks)
        unknown.say()
        lists.say()
        folder.finish({"seconds": round(time.monotonic() - started, 1)})
        note(f"{_counted(folder)} in {out}")


def _counted(folder: ListsFolder) -> str:
    parts = [part for block in folder.blocks.values() for part in block["parts"].values()]
    rows, users = (sum(part[name] for part in parts) for name in ("rows", "users"))
    return f"{rows:,} recommendations for {users:,} users in {len(parts):,} parts"
