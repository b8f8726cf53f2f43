"""What memory this process may use, and giving it back."""

import ctypes
import sys

from churnvalue.errors import ChurnvalueError

LEAST = 2_700_000_000  # bytes of addresses, most of them never used: with fewer, libraries and their threads crash without a word


def require_addresses() -> None:
    """Refuse to start where the libraries that compute would end the process without a word.

    Raises:
        ChurnvalueError: If a limit of addresses (``ulimit -v``) is below ``LEAST``.
    """
    if sys.platform == "win32":
        return
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if 0 <= allowed < LEAST:
        raise ChurnvalueError(
            f"A process must be allowed {LEAST / 1e6:,.0f} MB of addresses, but the limit is {allowed / 1e6:,.0f} MB."
            " Raise it with: ulimit -v unlimited"
        )


def give_back() -> None:
    """Give freed memory back to the system: what Arrow and glibc keep of it is a gigabyte at millions of customers."""
    import pyarrow as pa  # not before the limit of addresses is known to be enough for it

    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim is not None:
            trim(0)
