"""Maps that describe the cache: the same in RESP2 and RESP3."""

from typing import Any

# RESP2 sends maps and arrays alike, numbers with a fraction as text, and truth as 0 and 1.
_ARRAYS = {"arguments", "columns", "keys", "reasons", "tables", "tags", "untracked", "warnings"}
_FRACTIONS = {"commands_per_second_last_minute", "hit_ratio", "keys_per_statement", "share"}
_TRUTHS = {"cached", "enabled", "event_trigger", "in_flight", "negative", "pooler", "stale", "superuser", "tracked"}


def text(value: Any) -> Any:
    """Returns a string instead of bytes, and everything else as it is."""
    return value.decode() if isinstance(value, bytes) else value


def to_map(reply: Any) -> dict[str, Any]:
    """Returns the map that a reply is in RESP3, or spells as names and values in RESP2."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {text(name): _field(text(name), value) for name, value in pairs}


def to_maps(reply: Any) -> list[dict[str, Any]]:
    """Returns the list of maps that a reply is."""
    return [to_map(one) for one in reply]


def _field(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return to_map(value)
    if isinstance(value, list):
        return [_element(one) for one in value] if name in _ARRAYS else to_map(value)
    if value is not None and name in _TRUTHS:
        return bool(value)
    return float(value) if value is not None and name in _FRACTIONS else text(value)


def _element(value: Any) -> Any:
    return to_map(value) if isinstance(value, (dict, list)) else text(value)
