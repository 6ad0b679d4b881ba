"""Parts of `first_hour.sh`: each runs in a process of its own, and its results are written one by one.

python experiments/speed/first_hour.py PART --out DIR [--tiny]     # mult-vae, ease, lists, million, quality
python experiments/speed/first_hour.py check [--tiny]              # is there a GPU?
python experiments/speed/first_hour.py note PART TEXT --out DIR    # write the outcome of a part
python experiments/speed/first_hour.py table --out DIR
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

RESULTS = "results.jsonl"


def main(words: list[str] | None = None) -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", help="check, note, table, or a part")
    parser.add_argument("details", nargs="*", help="part and text of a note")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--tiny", action="store_true", help="rehearse with tiny sizes on the CPU")
    arguments = parser.parse_args(words)
    if arguments.part == "check":
        check(tiny=arguments.tiny)
    elif arguments.part == "note":
        part, *text = arguments.details
        write(arguments.out, {"part": part, "outcome": " ".join(text)})
    elif arguments.part == "table":
        print(table(read(arguments.out)))
    else:
        measure(arguments.part, arguments.out, tiny=arguments.tiny)


def check(*, tiny: bool) -> None:
    """Print the machine, or say what is missing."""
    try:
        import torch  # noqa: PLC0415  this says more than its traceback
    except ImportError:
        raise SystemExit(f"{sys.executable} has no PyTorch: run `make install` first, or choose --python") from None
    if tiny:
        print(f"Rehearsal with tiny sizes on the CPU; PyTorch {torch.__version__}")
        return
    if not torch.cuda.is_available():
        raise SystemExit(f"PyTorch {torch.__version__} sees no CUDA device; rehearse on the CPU with --tiny")
    device = torch.cuda.get_device_properties(0)
    print(f"{device.name}, {device.total_memory / 2**30:.0f} GiB; PyTorch {torch.__version__}")


def measure(part: str, out: Path, *, tiny: bool) -> None:
    """Run a part, and write each of its results when it is known."""
    import first_parts  # noqa: PLC0415  imports PyTorch

    if part not in first_parts.PARTS:
        raise SystemExit(f"there is no part {part!r}; expected one of {', '.join(first_parts.PARTS)}")
    sizes = first_parts.TINY if tiny else first_parts.Sizes()
    for result in first_parts.PARTS[part](sizes, "cpu" if tiny else "cuda"):
        write(out, {"part": part, **result})
        print(f"  {_line(result)}", flush=True)


def write(out: Path, result: dict[str, Any]) -> None:
    """Add a result to the file, as a line of JSON."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def read(out: Path) -> list[dict[str, Any]]:
    """Return all results."""
    lines = (out / RESULTS).read_text(encoding="utf-8").splitlines() if (out / RESULTS).exists() else []
    return [json.loads(line) for line in lines]


def table(results: list[dict[str, Any]]) -> str:
    """Format the results as a Markdown table, with the outcome of each part at its end."""
    lines = ["| part | what | result |", "|---|---|---|"]
    for result in results:
        lines.append(
            f"| {result['part']} | {result.get('name', '—')} | {result.get('outcome') or _line(result, name=False)} |"
        )
    return "\n".join(lines)


def _line(result: dict[str, Any], *, name: bool = True) -> str:
    measured = {key.replace("_", " "): value for key, value in result.items() if key not in ("part", "name")}
    numbers = [f"{key} {_number(value)}" for key, value in measured.items()]
    return ", ".join([*([result["name"]] if name else []), *numbers])


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    main()
