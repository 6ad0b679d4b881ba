"""``recsys-ae doctor``: packages, devices, memory and data of this machine."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recsys_ae.errors import MissingPackageError

from .. import options
from ..display import Display
from ..framework import as_command

PACKAGES = (
    "recsys-ae", "torch", "numpy", "scipy", "pandas", "pyarrow", "safetensors", "click", "rich", "pooch", "implicit",
    "mlflow", "matplotlib", "scikit-learn", "pillow",
)  # fmt: skip


@as_command("doctor", [options.data_dir()])
def command(data_dir: Path | None) -> None:
    """Show packages, devices and data of this machine.

    The tables list versions, cores, memory, devices, downloaded data sets, and the MLflow store.
    """
    display = Display()
    rows: list[tuple[str, Any]] = [("python", f"{platform.python_version()} ({sys.executable})")]
    rows += [(package, _version(package)) for package in PACKAGES]
    display.pairs(rows)
    display.line()
    display.pairs([*_machine(), *_devices(), *_data(data_dir), *_tracking()])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"missing: pip install {package}"


def _machine() -> list[tuple[str, str]]:
    rows = [("system", platform.platform()), ("cpu cores", str(_cores()))]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        rows.append(("memory", f"{total / 2**30:.1f} GiB"))
    return rows


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _devices() -> list[tuple[str, str]]:
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        return [("device", "none: PyTorch is missing")]
    rows = [("torch build", str(torch.__version__)), ("threads", str(torch.get_num_threads()))]
    if not torch.cuda.is_available():
        built = (
            f"PyTorch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "PyTorch is built without CUDA"
        )
        return [*rows, ("device", "cpu"), ("cuda", f"no GPU found; {built}")]
    rows.append(("device", "cuda"))
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        gpu = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        rows.append((f"cuda:{index}", gpu))
    return rows


def _data(data_dir: Path | None) -> list[tuple[str, str]]:
    from recsys_ae.data import named  # noqa: PLC0415

    folder = data_dir or named.default_data_dir()
    downloaded = [name for name in named.names() if named.find(name, folder) is not None]
    return [("data folder", str(folder)), ("data sets", ", ".join(["sample", *downloaded]))]


def _tracking() -> list[tuple[str, str]]:
    from recsys_ae.tracking import MLflowTracker  # noqa: PLC0415

    try:
        return [("tracking", MLflowTracker().location)]
    except MissingPackageError as error:
        return [("tracking", f"none: {error}")]
