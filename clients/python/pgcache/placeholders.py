"""Placeholders of other libraries, as PostgreSQL has them: `?`, `%s` and `:name` become `$1`, `$2` and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What is no place for a placeholder comes first, and is left as it is. Comments nest, and so are read by hand.
_TOKEN = re.compile(
    r"""
      [eE]'(?:[^'\\]|''|\\.)*'              # 'it\'s'
    | '(?:[^']|'')*'                        # 'it''s'
    | "(?:[^"]|"")*"                        # "a column"
    | \$(?P<tag>[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$.*?\$(?(tag)(?P=tag))\$   # $tag$ … $tag$
    | --[^\n]*
    | /\*
    | ::                                    # a cast
    | \?[|&]                                # operators of jsonb
    | @\?
    | %%
    | (?P<numbered>\$\d+)
    | (?P<format>%s)
    | (?P<named>(?<![\w:]):[A-Za-z_]\w*)
    | (?P<question>\?)
    """,
    re.VERBOSE | re.DOTALL,
)
_STYLES = {"numbered": "$1", "format": "%s", "named": ":name", "question": "?"}


def translate(sql: str, params: Any = None) -> tuple[str, list[Any]]:
    """Returns a statement with `$1`, `$2` and so on, and the values of these.

    `params` is a sequence, or a mapping for `:name`. In quotes and comments nothing is a placeholder, nor are casts (`::`) and
    the operators `?|`, `?&` and `@?` of jsonb; its operator `?` needs a function instead (`jsonb_exists`). `%%` is `%` where
    `%s` is used. Raises `ValueError` where placeholders are of several styles, or are not as many as the values.
    """
    found = _placeholders(sql)
    styles = {style for style, _, _ in found}
    if len(styles) > 1:
        raise ValueError(f"placeholders are of one style, and not of {' and '.join(sorted(_STYLES[style] for style in styles))}")
    if not found:
        _check_count(0, _values(params))
        return sql, []
    style = styles.pop()
    if style == "numbered":
        values = _values(params)
        _check_count(max(int(sql[start + 1 : end]) for _, start, end in found), values)
        return sql, values
    return _named(sql, found, params) if style == "named" else _in_order(sql, found, params, style)


def _named(sql: str, found: list[tuple[str, int, int]], params: Any) -> tuple[str, list[Any]]:
    if not isinstance(params, Mapping):
        raise ValueError("placeholders such as :name need a mapping")
    names = list(dict.fromkeys(sql[start + 1 : end] for _, start, end in found))
    missing = [name for name in names if name not in params]
    if missing or len(params) > len(names):
        raise ValueError(f"the statement names {', '.join(names)}, and the values are of {', '.join(params) or 'nothing'}")
    replaced = [(start, end, f"${names.index(sql[start + 1 : end]) + 1}") for _, start, end in found]
    return _replace(sql, replaced), [params[name] for name in names]


def _in_order(sql: str, found: list[tuple[str, int, int]], params: Any, style: str) -> tuple[str, list[Any]]:
    values = _values(params)
    _check_count(len(found), values)
    replaced = [(start, end, f"${number}") for number, (_, start, end) in enumerate(found, 1)]
    if style == "format":
        replaced += [(start, end, "%") for start, end in _escapes(sql)]
    return _replace(sql, sorted(replaced)), values


def _values(params: Any) -> list[Any]:
    if isinstance(params, (str, bytes, Mapping)):
        raise ValueError("the values of ?, %s and $1 are a sequence")
    return list(params or ())


def _check_count(wanted: int, values: list[Any]) -> None:
    if wanted != len(values):
        raise ValueError(f"the statement has {wanted} placeholders, and there are {len(values)} values")


def _replace(sql: str, replaced: list[tuple[int, int, str]]) -> str:
    pieces, last = [], 0
    for start, end, text in replaced:
        pieces += [sql[last:start], text]
        last = end
    return "".join([*pieces, sql[last:]])


def _tokens(sql: str) -> list[re.Match[str]]:
    found, place = [], 0
    while (token := _TOKEN.search(sql, place)) is not None:
        found.append(token)
        place = _end_of_comment(sql, token.start()) if token[0] == "/*" else token.end()
    return found


def _placeholders(sql: str) -> list[tuple[str, int, int]]:
    tokens = _tokens(sql)
    return [(token.lastgroup, token.start(), token.end()) for token in tokens if token.lastgroup in _STYLES]


def _escapes(sql: str) -> list[tuple[int, int]]:
    return [token.span() for token in _tokens(sql) if token[0] == "%%"]


def _end_of_comment(sql: str, start: int) -> int:
    depth, place = 0, start
    for token in re.finditer(r"/\*|\*/", sql[start:]):
        depth, place = depth + (1 if token[0] == "/*" else -1), start + token.end()
        if depth == 0:
            return place
    return len(sql)
