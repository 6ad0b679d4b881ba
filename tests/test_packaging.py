"""Packaging: contents of the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_holds_exactly_two_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for package in ("recsys_ae", "cli"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                target = source / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(source),
    ]
    subprocess.run(command, capture_output=True, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"recsys_ae", "recsys_ae_cli"}
    packed = {name for name in names if name.endswith(".py")}
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "recsys_ae").rglob("*.py")}
    expected |= {
        path.relative_to(ROOT).as_posix().replace("cli/", "recsys_ae_cli/", 1) for path in (ROOT / "cli").rglob("*.py")
    }
    assert packed == expected
    assert {"recsys_ae/py.typed", "recsys_ae_cli/py.typed"} <= set(names)
    study = {f"recsys_ae/features/study/presets/{name}.toml" for name in ("quick", "paper")}
    study |= {f"recsys_ae/report/templates/page.{ending}" for ending in ("html.j2", "css", "js")}
    assert study <= set(names)
