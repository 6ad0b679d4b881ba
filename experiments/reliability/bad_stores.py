"""Seconds that a misbehaving MLflow server costs a short fit.

    python experiments/reliability/bad_stores.py

The servers are those of ``tests/tracking/bad_servers.py``. Each row is one run of the installed command.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine  # noqa: E402  in the parent folder
from reliability.children import Ended, installed  # noqa: E402
from reliability.commands import make_inputs  # noqa: E402
from reliability.place import Place  # noqa: E402

from recsys_ae.storage.atomic import write_text  # noqa: E402

FIT = (
    "fit",
    "mult-vae",
    "--preset",
    "paper",
    "--threads",
    "1",
    "--quiet",
    "--hidden",
    "32",
    "--latent",
    "16",
    "--batch-size",
    "50",
)
EPOCHS = "100"


def main() -> None:
    """Measure every kind of server and print the table."""
    servers = _servers()
    with tempfile.TemporaryDirectory(prefix="stores-") as folder:
        inputs = Path(folder) / "inputs"
        make_inputs(inputs)
        alone = min(_fit(Path(folder), inputs, None).seconds for _ in range(3))
        rows = [{"store": "none", "seconds": alone, "extra": 0.0, "lines": 0}]
        for kind in ("sqlite file", *servers.KINDS):
            if kind == "sqlite file":
                ended = _fit(Path(folder), inputs, "sqlite:///mlflow.db")
            else:
                with servers.bad_server(kind) as address:
                    ended = _fit(Path(folder), inputs, address)
            assert ended.code == 0, ended.err
            assert not ended.left
            lines = len(ended.err.strip().splitlines())
            rows.append({"store": kind, "seconds": ended.seconds, "extra": ended.seconds - alone, "lines": lines})
            print(rows[-1], file=sys.stderr, flush=True)
    (HERE / "results").mkdir(exist_ok=True)
    write_text(HERE / "results" / "bad_stores.json", json.dumps({"machine": machine(), "rows": rows}, indent=1))
    print("| store | seconds of the fit | more than without a store | lines of warning |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['store']} | {row['seconds']:.1f} | {row['extra']:.1f} | {row['lines']} |")


def _fit(folder: Path, inputs: Path, address: str | None) -> Ended:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        words = [*FIT, "--epochs", EPOCHS, "--data", f"{inputs}/ratings.csv", "--out", "model"]
        track = ["--no-track"] if address is None else ["--track"]
        settings = {} if address is None else {"MLFLOW_TRACKING_URI": address}
        return installed(Place(Path(root)).make(), [*words, *track], settings=settings)


def _servers() -> ModuleType:
    path = HERE.parents[1] / "tests" / "tracking" / "bad_servers.py"
    spec = importlib.util.spec_from_file_location("bad_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
