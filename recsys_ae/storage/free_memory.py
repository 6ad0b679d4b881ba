"""Free memory of the machine or container."""

import contextlib
from pathlib import Path


def free_host_memory() -> int | None:
    """Return the number of bytes of memory that are free for this process; None if it is unknown."""
    free = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        free.append(_table(Path("/proc/meminfo"))["MemAvailable:"] * 1024)
    with contextlib.suppress(OSError, ValueError, KeyError):  # a container may have less; "max" is not a number
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        # The cache of files counts as used, but is given up when memory is needed.
        free.append(limit - used + _table(group / "memory.stat")["inactive_file"])
    return min(free, default=None)


def _table(path: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number on each line."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1}
