"""Finds and loads libkop.so, and turns its statuses into exceptions."""
import ctypes
import ctypes.util
import os
from pathlib import Path

from . import _abi


class KopError(Exception):
    """A call that libkop refused: `status` is one of the KOP_ERR_ constants."""

    def __init__(self, status, text=""):
        self.status = status
        reason = library.kop_strerror(status).decode()
        super().__init__(f"{reason}: {text}" if text else reason)


def _load():
    beside = Path(__file__).resolve().parents[3] / "build" / "libkop.so"
    path = os.environ.get("KOP_LIBRARY") or (str(beside) if beside.exists() else ctypes.util.find_library("kop"))
    if not path:
        raise ImportError("libkop.so is not found: set KOP_LIBRARY to its path")
    loaded = ctypes.CDLL(path)
    _abi.declare(loaded)
    runs, written = loaded.kop_version(), _abi.KOP_VERSION_NUMBER
    # While the major number is 0 a new minor number may break; afterwards an older library lacks functions.
    if runs // 1000 != written // 1000 if written < 1_000_000 else runs < written:
        raise ImportError(f"{path} is version {loaded.kop_version_string().decode()}, these bindings are for "
                          f"{_abi.KOP_VERSION_MAJOR}.{_abi.KOP_VERSION_MINOR}")
    return loaded


library = _load()


def version():
    """The version of the library that was loaded, as text."""
    return library.kop_version_string().decode()


def check(status, text=""):
    """Raises KopError for a negative status."""
    if status < 0:
        raise KopError(status, text)
    return status
