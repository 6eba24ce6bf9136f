"""Clients that send nothing: they note what they are asked, and answer what they are told to."""

from __future__ import annotations

from typing import Any


class ResponseError(Exception):
    """What a client raises for an error of the server, called as redis-py calls it."""


class NoPermissionError(ResponseError):
    """What a client makes of NOPERM, without the code."""


class Node:
    """A node of a cluster."""

    def __init__(self, name: str) -> None:
        self.name = name


class Client:
    """A client of one server."""

    def __init__(self, *replies: Any) -> None:
        self.replies, self.asked, self.targets = list(replies), [], []

    def execute_command(self, *words: str, **options: Any) -> Any:
        self.asked.append(words)
        self.targets.append([node.name for node in options.get("target_nodes", [])])
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def pipeline(self, transaction: bool) -> Pipeline:
        assert transaction is False, "in MULTI nothing can wait"
        return Pipeline(self)


class Cluster(Client):
    """A client of a cluster of two nodes: keys with an even last digit belong to the first."""

    nodes = [Node("even"), Node("odd")]

    def get_primaries(self) -> list[Node]:
        return self.nodes

    def get_default_node(self) -> Node:
        return self.nodes[0]

    def get_node_from_key(self, key: str) -> Node:
        return self.nodes[int(key[-2]) % 2]


class Pipeline:
    """A pipeline that answers in order."""

    def __init__(self, client: Client) -> None:
        self.client, self.queued, self.was_reset = client, 0, False

    def execute_command(self, *words: str) -> Pipeline:
        self.client.asked.append(words)
        self.queued += 1
        return self

    def execute(self, raise_on_error: bool) -> list[Any]:
        assert raise_on_error is False, "errors stand among the replies"
        queued, self.queued = self.queued, 0
        return [self.client.replies.pop(0) for _ in range(queued)]

    def reset(self) -> None:
        self.was_reset = True


class AsyncClient(Client):
    """A client for asyncio."""

    async def execute_command(self, *words: str, **options: Any) -> Any:
        return super().execute_command(*words, **options)

    def pipeline(self, transaction: bool) -> Pipeline:
        return AsyncPipeline(super().pipeline(transaction).client)


class AsyncCluster(AsyncClient, Cluster):
    """A client of a cluster, for asyncio."""

    initialized = 0

    async def initialize(self) -> None:
        self.initialized += 1


class AsyncPipeline(Pipeline):
    """A pipeline for asyncio."""

    async def execute(self, raise_on_error: bool) -> list[Any]:
        return super().execute(raise_on_error)
