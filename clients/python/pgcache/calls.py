"""A call: the words of one command, where it goes in a cluster, and what its reply means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Generic, TypeVar

from .errors import PGBadArgument, to_pgcache_error

K = TypeVar("K")
T = TypeVar("T")


class Reach(Enum):
    """Which nodes of a cluster a command is for."""

    KEY = "the node that the client finds by the command's key"
    ONE = "any node"
    ALL = "every primary"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One command."""

    words: tuple[str, ...]
    decode: Callable[[Any], T]
    table: str | None = None
    reach: Reach = Reach.KEY
    merge: Callable[[dict[str, T]], T] | None = None
    """Makes one result of those of all nodes, which are given by the nodes' names."""
    partial: bool = False
    """Whether a node that knows nothing of it is left out, as long as another one does."""

    def result(self, reply: Any) -> T:
        """Returns what a reply means; raises the error that it is."""
        if not isinstance(reply, Exception):
            return self.decode(reply)
        error = to_pgcache_error(reply, self.table)
        if error is None:
            raise reply
        raise error from reply

    def outcome(self, reply: Any) -> Any:
        """Returns what a reply means, or the error that it is."""
        try:
            return self.result(reply)
        except Exception as error:  # the errors of clients have no class in common
            return error

    def result_of_all(self, replies: dict[str, Any]) -> T:
        """Returns the one result of the replies of all nodes, or raises the first error among them."""
        outcomes = {node: self.outcome(reply) for node, reply in replies.items()}
        known = {node: outcome for node, outcome in outcomes.items() if not isinstance(outcome, PGBadArgument)}
        answered = raise_first_error(known if self.partial and known else outcomes)
        return self.merge(answered) if self.merge else next(iter(answered.values()))


def raise_first_error(outcomes: dict[K, Any]) -> dict[K, Any]:
    """Returns the outcomes as they are if none is an error, or raises the first that is."""
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes
