"""What the server has answered of late: no read that another has overtaken may undo what somebody has seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_MAX_ANSWERS = 1000
"""So many keys are remembered; a read that takes longer than the answers of as many others is not kept."""


class Answers:
    """The latest answer for each key, by a number that stands for what it says."""

    def __init__(self) -> None:
        """Begins without any."""
        self._latest: OrderedDict[Hashable, tuple[int, int | None]] = OrderedDict()
        self._lost = 0
        self.count = 0

    def add(self, key: Hashable, content: int | None, began: int) -> bool:
        """Notes an answer, and tells whether it may be kept: since its read began nobody was answered something else.

        `content` is alike for answers that are alike, `None` where that is not known. `began` is the count when the read began.
        """
        self.count += 1
        at, other = self._latest.pop(key, (0, None))
        is_overtaken = began < self._lost or (at > began and (content is None or content != other))
        self._latest[key] = (self.count, None if is_overtaken else content)
        if len(self._latest) > _MAX_ANSWERS:
            _, (self._lost, _) = self._latest.popitem(last=False)
        return not is_overtaken
