"""Tables of the results in Markdown."""

from collections.abc import Sequence
from statistics import median
from typing import Any

Records = Sequence[dict[str, Any]]


def kills_table(records: Records) -> str:
    """Return a table with a row per command."""
    head = ["command", "kills", "SIGKILL", "SIGTERM", "SIGINT", "old", "new", "went on", "lost", "unequal",
            "left over", "processes left", "median seconds to end", "largest"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in dict.fromkeys(record["command"] for record in sorted(records, key=lambda record: record["command"])):
        lines.append(_row(name, [record for record in records if record["command"] == name]))
    return "\n".join([*lines, _row("**all**", records)])


def _row(name: str, records: Records) -> str:
    def count(key: str, value: str) -> int:
        return sum(record[key] == value for record in records)

    def faults(*words: str) -> int:
        return sum(any(word in fault for fault in record["faults"] for word in words) for record in records)

    asked = [r["answered"] for r in records if r["signal"] != "SIGKILL" and r["answered"] is not None]
    times = [f"{median(asked):.2f}", f"{max(asked):.2f}"] if asked else ["–", "–"]
    cells = [len(records), *(count("signal", name) for name in ("SIGKILL", "SIGTERM", "SIGINT"))]
    cells += [count("state", "old"), count("state", "new"), sum(bool(record["went_on"]) for record in records)]
    cells += [
        faults("after the kill", "typed again, missing"),
        faults("typed again, different"),
        faults("left over"),
        faults("process"),
    ]
    return f"| {' | '.join([name, *map(str, cells), *times])} |"


def summary(records: Records) -> str:
    """Return one line with the number of trials and of faults."""
    bad = sum(bool(record["faults"]) for record in records)
    real = sum(record["real"] for record in records)
    missed = sum(record["answered"] is None or record["code"] == 0 for record in records)
    return (
        f"{len(records)} trials, {real} of them with the installed command; {missed} signals came after the end; "
        f"{bad} trials with a fault"
    )
