"""Reliability: commands are killed at random moments, and typed again.

    python experiments/reliability/run.py [--kills 600] [--seed 0] [--commands NAME …]

A trial starts a command, sends it SIGKILL, SIGTERM or SIGINT, and looks at what is left: the former result or the new
one, whole. Then the same command is typed again, and must end with what an undisturbed run gives, bit for bit, without
leftovers and without a process that lives on. Half of the moments are drawn from the whole duration, and half are close
to a change of a file. Nine of ten trials run in a copy of a process that has imported everything; every eleventh runs
the installed command, so that its start is covered, too. Trials that are in the output folder are not repeated.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a copy of a process has one thread
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from reliability.tables import kills_table, summary  # noqa: E402  in the parent folder
from reliability.trials import Trial, World  # noqa: E402

REAL = 11
"""One of so many trials runs the installed command."""


def main(words: list[str] | None = None) -> int:
    """Run the missing trials, print the table, and return 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=600, help="number of trials; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the moments; default: %(default)s")
    parser.add_argument("--commands", nargs="*", default=[], metavar="NAME", help="commands to kill; default: all")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="number of the only trial to run, again")
    parser.add_argument("--work", type=Path, help="folder of the inputs and trials; default: a temporary one")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", help="folder of the results; default: %(default)s"
    )
    arguments = parser.parse_args(words)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # commands inherit it if it was ignored
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / f"kills-{arguments.seed}.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    numbers = set(range(arguments.kills)) - {record["number"] for record in records}
    if arguments.only is not None:
        numbers = {arguments.only}
    with tempfile.TemporaryDirectory(prefix="reliability-") as temporary:
        root = arguments.work or Path(temporary)
        if numbers:
            world = World(root, arguments.commands)
            with file.open("a", encoding="utf-8", buffering=1) as lines:
                for number in sorted(numbers):
                    record = Trial(world, arguments.seed, number, real=number % REAL == REAL - 1).run()
                    lines.write(json.dumps(record) + "\n")
                    records.append(record)
                    for fault in record["faults"]:
                        print(f"{number} {record['command']} {record['signal']}: {fault}", file=sys.stderr, flush=True)
    print(kills_table(records), "\n", summary(records), sep="\n")
    return int(any(record["faults"] for record in records))


if __name__ == "__main__":
    sys.exit(main())
