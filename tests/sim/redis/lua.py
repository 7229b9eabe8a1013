"""The Lua of the store's scripts, made into Python: what a simulated server runs is the product's
own text.

As much of Lua 5.1 as they use, and no more: what they don't use is refused with its line. Strings
are bytes, tables are lists, nil is None. `redis.call` is a function that raises what is an error.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOKEN: Final = re.compile(
    r"(?P<skip>\s+|--[^\n]*)|(?P<name>[A-Za-z_]\w*)|(?P<number>\d+)"
    r"|(?P<text>'[^'\\\n]*')|(?P<sign>\.\.|[=~<>]=|[-+*/%#<>=(){}\[\];,.])"
)
_WORDS: Final = {
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until",
}  # fmt: skip
_LEVELS: Final = (("or",), ("and",), ("==", "~=", "<", "<=", ">", ">="), ("..",), ("+", "-"),
                  ("*", "/", "%"))  # fmt: skip
_PYTHON: Final = {"..": "_join", "==": "_equal", "~=": "_differs"}


class Table(list[Any]):
    """A table: its places count from 1, and what is beyond them is nil."""

    def at(self, place: int) -> Any:
        """What is there."""
        return self[place - 1] if 0 < place <= len(self) else None

    def put(self, place: int, value: Any) -> None:
        """Put something to a place that is there, or to the next one."""
        self[place - 1 : place] = [value]


class Compiled:
    """A script, ready to run."""

    def __init__(self, text: str) -> None:
        self._lines = ["def script(v_redis, v_KEYS, v_ARGV):"]
        self._depth = 1
        self._tokens = list(_tokens(text))
        self._place = 0
        self._called = False  # whether what was read last is a call; else, what of which table
        self._indexed: tuple[str, str] | None = None
        self._block("")
        scope: dict[str, Any] = dict(_GIVEN)
        exec("\n".join(self._lines), scope)
        self._script = scope["script"]

    def run(self, call: Callable[..., Any], keys: list[bytes], args: list[bytes]) -> Any:
        """What it returns; numbers, bytes, None and lists of them."""
        returned: Any = self._script(call, Table(keys), Table(args))
        return _reply(returned)

    # ------------------------------------------------------------------ statements

    def _block(self, *ends: str) -> str:
        """Statements, up to one of these words."""
        self._say("pass")
        while (word := self._peek()) not in ends:
            match word:
                case "local":
                    self._local()
                case "if":
                    self._if()
                case "for":
                    self._for()
                case "repeat":
                    self._next("repeat")
                    self._say("while True:")
                    self._inner("until")
                    self._say(f"    if _true({self._expression()}): break")
                case "return":
                    self._next("return")
                    self._say(f"return {self._expression()}")
                case "break":
                    self._next("break")
                    self._say("break")
                case _:
                    self._assign_or_call()
        return self._next()

    def _inner(self, *ends: str) -> str:
        self._depth += 1
        end = self._block(*ends)
        self._depth -= 1
        return end

    def _local(self) -> None:
        self._next("local")
        if self._peek() == "function":
            self._next("function")
            name, names = self._name(), []
            self._next("(")
            while self._peek() != ")":
                names.append(self._name())
                self._maybe(",")
            self._next(")")
            self._say(f"def {name}({', '.join(names)}):")
            self._inner("end")
            return
        names = [self._name()]
        while self._maybe(","):
            names.append(self._name())
        self._next("=")
        self._say(self._assigned(names))

    def _assigned(self, names: list[str]) -> str:
        values, several = self._expressions()
        if several or len(names) != len(values):
            return f"{', '.join(names)}, = _taken({len(names)}, [{', '.join(values)}])"
        return f"{', '.join(names)} = {', '.join(values)}"

    def _assign_or_call(self) -> None:
        target = self._suffixed()
        if self._called:
            self._say(target)
        elif self._indexed is not None:
            table, place = self._indexed
            self._next("=")
            self._say(f"{table}.put({place}, {self._expression()})")
        else:
            names = [target]
            while self._maybe(","):
                names.append(self._name())
            self._next("=")
            self._say(self._assigned(names))

    def _if(self) -> None:
        word = self._next("if")
        while word in ("if", "elseif"):
            self._say(f"{'if' if word == 'if' else 'elif'} _true({self._expression()}):")
            self._next("then")
            word = self._inner("elseif", "else", "end")
        if word == "else":
            self._say("else:")
            self._inner("end")

    def _for(self) -> None:
        self._next("for")
        name = self._name()
        if self._maybe("="):
            bounds, _ = self._expressions()
            first, last, step = [*bounds, "1"][:3]
            self._say(f"for {name} in range({first}, {last} + 1, {step}):")
        else:
            self._next(",")
            each = self._name()
            self._next("in")
            self._say(f"for {name}, {each} in {self._expression()}:")
        self._next("do")
        self._inner("end")

    # ------------------------------------------------------------------ expressions

    def _expressions(self) -> tuple[list[str], bool]:
        """A list of them; whether the last is several."""
        found = [self._expression()]
        while self._maybe(","):
            found.append(self._expression())
        several = found[-1].startswith("v_unpack(")
        if several:
            found[-1] = f"*{found[-1]}"
        return found, several

    def _expression(self, level: int = 0) -> str:
        if level == len(_LEVELS):
            return self._unary()
        left = self._expression(level + 1)
        while (sign := self._peek()) in _LEVELS[level]:
            self._next()
            right = self._expression(level + 1)
            if sign in ("and", "or"):
                left = f"_{sign}({left}, lambda: {right})"
            elif sign in _PYTHON:
                left = f"{_PYTHON[sign]}({left}, {right})"
            elif level == 2:
                left = f"({left} {sign} {right})"
            else:
                left = f"(_number({left}) {sign} _number({right}))"
        return left

    def _unary(self) -> str:
        match self._peek():
            case "not":
                self._next()
                return f"(not _true({self._unary()}))"
            case "#":
                self._next()
                return f"len({self._unary()})"
            case "-":
                self._next()
                return f"-{self._unary()}"
        return self._suffixed()

    def _suffixed(self) -> str:
        found = self._simple()
        called, indexed = False, None
        while (sign := self._peek()) in (".", "[", "("):
            self._next()
            called, before = sign == "(", found
            if sign == ".":
                found += f"_{self._next()}"  # redis.call, string.format
            elif sign == "[":
                place = self._expression()
                found, indexed = f"{found}.at({place})", (before, place)
                self._next("]")
            else:
                args = [] if self._peek() == ")" else self._expressions()[0]
                self._next(")")
                found = f"{found.replace('v_redis_call', 'v_redis')}({', '.join(args)})"
        self._called, self._indexed = called, indexed
        return found

    def _simple(self) -> str:
        token = self._next()
        match token:
            case "nil":
                return "None"
            case "true" | "false":
                return token.capitalize()
            case "(":
                inside = self._expression()
                self._next(")")
                return f"({inside})"
            case "{":
                items = [] if self._peek() == "}" else self._expressions()[0]
                self._next("}")
                return f"Table([{', '.join(items)}])"
        if token.isdigit():
            return token
        if token.startswith("'"):
            return f"b{token}"
        return self._named(token)

    # ------------------------------------------------------------------ tokens

    def _name(self) -> str:
        return self._named(self._next())

    def _named(self, token: str) -> str:
        if not token.isidentifier() or token in _WORDS:
            raise SyntaxError(f"{token!r} isn't understood here, token {self._place}")
        return f"v_{token}"

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self, expected: str | None = None) -> str:
        token = self._peek()
        if expected is not None and token != expected:
            raise SyntaxError(f"{expected!r} is missing before {token!r}, token {self._place}")
        self._place += 1
        return token

    def _maybe(self, sign: str) -> bool:
        found = self._peek() == sign
        self._place += found
        return found

    def _say(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise SyntaxError(f"not of the Lua that scripts use: {text[place : place + 20]!r}")
        place = match.end()
        if match.lastgroup != "skip":
            yield match[0]


# -------------------------------------------------------------------- what a script runs with


def _true(value: Any) -> bool:
    return value is not None and value is not False


def _and(left: Any, right: Callable[[], Any]) -> Any:
    return right() if _true(left) else left


def _or(left: Any, right: Callable[[], Any]) -> Any:
    return left if _true(left) else right()


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _differs(one: Any, other: Any) -> bool:
    return not _equal(one, other)


def _number(value: Any) -> Any:
    if isinstance(value, bytes):
        return float(value) if b"." in value or b"e" in value or b"inf" in value else int(value)
    if isinstance(value, bool) or value is None:
        raise TypeError("attempt to perform arithmetic on a nil or boolean value")
    return value


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"attempt to concatenate {value!r}")
    return b"%d" % value if value == int(value) else b"%.14g" % value


def _join(one: Any, other: Any) -> bytes:
    return _text(one) + _text(other)


def _format(form: bytes, *values: Any) -> bytes:
    return form % tuple(_number(value) for value in values)


def _unpack(table: Table, first: int = 1, last: int | None = None) -> list[Any]:
    return [table.at(place) for place in range(first, (len(table) if last is None else last) + 1)]


def _taken(count: int, values: list[Any]) -> list[Any]:
    return (values + [None] * count)[:count]


def _reply(value: Any) -> Any:
    """What a server makes of what a script returns."""
    match value:
        case None | False:
            return None
        case True:
            return 1
        case list():
            shown = value[: value.index(None)] if None in value else value
            return [_reply(one) for one in shown]
        case float():
            return int(value)
        case _:
            return value


_GIVEN: Final[dict[str, Any]] = {
    "Table": Table,
    "_true": _true,
    "_and": _and,
    "_or": _or,
    "_equal": _equal,
    "_differs": _differs,
    "_number": _number,
    "_join": _join,
    "_taken": _taken,
    "v_unpack": _unpack,
    "v_ipairs": lambda table: enumerate(list(table), 1),
    "v_tonumber": _number,
    "v_tostring": _text,
    "v_string_format": _format,
    "v_math_floor": math.floor,
    "v_math_min": min,
}
