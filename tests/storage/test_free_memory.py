"""Free memory of the machine or container."""

from pathlib import Path

import pytest

from recsys_ae.storage import free_memory

MEMINFO = "MemTotal:       16384 kB\nMemFree:          100 kB\nMemAvailable:   2000 kB\nHugePages_Total:  0\n\n"
STAT = "anon 5\nfile 9\nactive_file 40\ninactive_file 300\n"
GROUP = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/meminfo": MEMINFO}, 2000 * 1024),
        # A container may be allowed less than the machine has; read files in memory make room when it is needed.
        ({"proc/meminfo": MEMINFO, "memory.max": "9000", "memory.current": "2000", "memory.stat": STAT}, 7300),
        ({"proc/meminfo": MEMINFO, "memory.max": f"{2**40}", "memory.current": "1", "memory.stat": STAT}, 2000 * 1024),
        ({"proc/meminfo": MEMINFO, "memory.max": "max", "memory.current": "1", "memory.stat": STAT}, 2000 * 1024),
        ({"proc/meminfo": MEMINFO, "memory.max": "9000"}, 2000 * 1024),
        ({"memory.max": "9000", "memory.current": "2000", "memory.stat": STAT}, 7300),
        ({"proc/meminfo": "MemTotal: 16384 kB\nMemFree: 100 kB\n"}, None),
        ({"proc/meminfo": ""}, None),
        ({"proc/meminfo": "MemAvailable: much kB\n"}, None),
        ({}, None),
    ],
)
def test_the_free_memory_is_the_least_that_the_machine_and_the_container_leave(
    files: dict[str, str], expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        path = tmp_path / (name if "/" in name else f"{GROUP}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    monkeypatch.setattr(free_memory, "Path", lambda path: tmp_path / str(path).removeprefix("/"))
    assert free_memory.free_host_memory() == expected
