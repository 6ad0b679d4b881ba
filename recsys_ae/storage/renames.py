"""Renames in one step: an exchange of two paths, and a rename that never replaces."""

import ctypes
import errno
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_HERE, _NO_REPLACE, _EXCHANGE = -100, 1, 2  # AT_FDCWD, RENAME_NOREPLACE and RENAME_EXCHANGE of Linux
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM}
"""Errors of systems, file systems and sandboxes without the call; a plain rename reports a true EPERM again."""


def exchange(first: Path, second: Path) -> bool:
    """Exchange two paths in one step; return False if the system or the file system cannot do that.

    Raises
    ------
    OSError
        If one of the paths is missing, or may not be renamed.
    """
    return _renamed(first, second, _EXCHANGE)


def rename_to_unused(source: Path, target: Path) -> None:
    """Rename a file in one step, without replacing another one.

    Raises
    ------
    OSError
        If the target exists (`FileExistsError`), or cannot be written.
    """
    if _renamed(source, target, _NO_REPLACE):
        return
    with suppress(PermissionError, NotImplementedError):  # of file systems without hard links
        os.link(source, target)
        source.unlink()
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _renamed(source: Path, target: Path, how: int) -> bool:
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_HERE, os.fsencode(source), _HERE, os.fsencode(target), how) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(target))


@cache
def _renameat2() -> Any:
    """Return the function of the C library of Linux (glibc 2.28 or newer); None elsewhere."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function
