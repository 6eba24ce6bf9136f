"""The near cache: rows and results kept in the process. It has no I/O but for its listeners."""

from .limits import NearCache

__all__ = ["NearCache"]
