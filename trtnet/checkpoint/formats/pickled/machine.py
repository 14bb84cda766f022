"""Pickles read as data: nothing is imported, nothing is called, whatever the pickle asks for.

Python's own unpickler imports what a pickle names and calls it. This one makes a note of both: a :class:`Global` is a
name, an :class:`Object` what a class would have been called with. What a few names mean (tensors, arrays, mappings) is
told by a table of builders; these are functions of ours that look at data.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from trtnet.checkpoint.formats.pickled.objects import Global, Object
from trtnet.support.errors import CheckpointError

DEEPEST_TUPLE = 1000
"""The most tuples in each other."""

Builder = Callable[..., Any]
Builders = Mapping[tuple[str, str], Builder]
"""(module, name) -> what makes a value of the arguments that the pickle has for it."""


class PickleError(CheckpointError):
    """A pickle that no reader could make sense of."""


class Machine:
    """The stack machine of one pickle.

    builders: what some names mean. persistent: what the ids of objects that are kept outside of the pickle mean.
    """

    def __init__(self, builders: Builders, persistent: Callable[[object], object]) -> None:
        self._builders, self._persistent = builders, persistent
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        # id of a tuple -> how deep it is, and the tuple, so that its id stays its own
        self._depths: dict[int, tuple[int, tuple[Any, ...]]] = {}

    def run(self, file: BinaryIO) -> Any:
        """The value of the pickle that the file stands at; the file stands behind it afterwards.

        Raises PickleError, and on damaged pickles almost anything that Python raises.
        """
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return self._pop()
            handler = _HANDLERS.get(opcode.name)
            if handler is None:
                raise PickleError(f"it uses the opcode {opcode.name}, which no checkpoint needs")
            handler(self, argument)
        raise PickleError("it ends too early")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise PickleError("it takes more from its stack than is there")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise PickleError("it takes more from its stack than is there")
        return self._stack[-1]

    def _mark(self, _: object) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        if not self._marked:
            raise PickleError("it needs a mark that is not on its stack")
        found, self._stack = self._stack, self._marked.pop()
        return found

    def _drop(self, _: object) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _drop_mark(self, _: object) -> None:
        self._since_mark()

    def _put(self, number: int | None) -> None:
        self._memo[len(self._memo) if number is None else int(number)] = self._top()

    def _get(self, number: int) -> None:
        if int(number) not in self._memo:
            raise PickleError("it reads a memo entry that it never wrote")
        self._push(self._memo[int(number)])

    def _tuple(self, count: int) -> None:
        self._push_tuple(list(reversed([self._pop() for _ in range(count)])))

    def _marked_tuple(self, _: object) -> None:
        self._push_tuple(self._since_mark())

    def _push_tuple(self, values: list[Any]) -> None:
        """A tuple, of which it is known how deep in it others are: Python's own functions for deep ones crash."""
        made = tuple(values)
        inner = [self._depths.get(id(one), (1,))[0] for one in made if isinstance(one, tuple)]
        if inner:
            if max(inner) >= DEEPEST_TUPLE:
                raise PickleError("its tuples are nested too deeply")
            self._depths[id(made)] = max(inner) + 1, made
        self._push(made)

    def _dict(self, _: object) -> None:
        found: dict[Any, Any] = {}
        self._fill(found, self._since_mark())
        self._push(found)

    def _fill(self, target: Any, flat: list[Any]) -> None:
        if len(flat) % 2:
            raise PickleError("it has a key without a value")
        items = target.items if isinstance(target, Object) else target
        if not isinstance(items, dict):
            raise PickleError("it sets items of something that has none")
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            items[hashable(key)] = value

    def _set_item(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._fill(self._top(), [key, value])

    def _set_items(self, _: object) -> None:
        flat = self._since_mark()
        self._fill(self._top(), flat)

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        elements = target.elements if isinstance(target, Object) else target
        if not isinstance(elements, list):
            raise PickleError("it appends to something that is not a list")
        elements.extend(values)

    def _append(self, _: object) -> None:
        value = self._pop()
        self._extend([value])

    def _appends(self, _: object) -> None:
        values = self._since_mark()
        self._extend(values)

    def _named(self, name: object, module: object) -> Global:
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleError("it names a class by something that is not text")
        return Global(module, name)

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push(Global(module, name))

    def _called(self, kind: object, arguments: object) -> Any:
        """What stands for the result of a call; of a name that has a builder, what this makes of the arguments."""
        given = tuple(arguments) if isinstance(arguments, tuple | list) else (arguments,)
        builder = self._builders.get((kind.module, kind.name)) if isinstance(kind, Global) else None
        return Object(kind, given) if builder is None else builder(*given)

    def _reduce(self, _: object) -> None:
        arguments, kind = self._pop(), self._pop()
        self._push(self._called(kind, arguments))

    def _new_with_keywords(self, _: object) -> None:
        keywords, arguments, kind = self._pop(), self._pop(), self._pop()
        self._push(Object(kind, (arguments, keywords)))

    def _instance(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        arguments = self._since_mark()
        self._push(self._called(Global(module, name), arguments))

    def _object(self, _: object) -> None:
        found = self._since_mark()
        if not found:
            raise PickleError("it makes an object without a class")
        self._push(self._called(found[0], found[1:]))

    def _build(self, _: object) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Object):
            target.state = state
        elif hasattr(target, "build_from_pickle"):
            target.build_from_pickle(state)
        # attributes of dicts and tensors, such as the _metadata of a state dict, are no weights

    def _persistent_id(self, identity: object) -> None:
        self._push(self._persistent(identity))


def hashable(key: object) -> Any:
    """A key of a dict. Raises PickleError for one that is neither plain nor an object: Python would look into it."""
    plain = str | bytes | int | float | None
    if isinstance(key, plain | Object | Global):
        return key
    if isinstance(key, tuple) and all(isinstance(one, plain | Global) for one in key):
        return key
    return Object(Global("builtins", type(key).__name__))


def _pushed(machine: Machine, argument: Any) -> None:
    machine._push(argument)


def _new(value: Callable[[], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine._push(value())


def _collected(kind: Callable[[list[Any]], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine._push(kind(machine._since_mark()))


def _stack_global(machine: Machine, _: object) -> None:
    name, module = machine._pop(), machine._pop()
    machine._push(machine._named(name, module))


_HANDLERS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _pushed),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"), _pushed),
    **dict.fromkeys(("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _pushed),
    "NONE": _new(lambda: None),
    "NEWTRUE": _new(lambda: True),
    "NEWFALSE": _new(lambda: False),
    "EMPTY_LIST": _new(list),
    "EMPTY_DICT": _new(dict),
    "EMPTY_TUPLE": _new(tuple),
    "EMPTY_SET": _new(lambda: Object(Global("builtins", "set"))),
    "MARK": Machine._mark,
    "POP": Machine._drop,
    "POP_MARK": Machine._drop_mark,
    "DUP": lambda machine, _: machine._push(machine._top()),
    "LIST": _collected(list),
    "TUPLE": Machine._marked_tuple,
    "FROZENSET": _collected(lambda values: Object(Global("builtins", "frozenset"), (), None, {}, values)),
    "DICT": Machine._dict,
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._get),
    "APPEND": Machine._append,
    **dict.fromkeys(("APPENDS", "ADDITEMS"), Machine._appends),
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "GLOBAL": Machine._global,
    "STACK_GLOBAL": _stack_global,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), Machine._reduce),
    "NEWOBJ_EX": Machine._new_with_keywords,
    "INST": Machine._instance,
    "OBJ": Machine._object,
    "BUILD": Machine._build,
    "PERSID": Machine._persistent_id,
    "BINPERSID": lambda machine, _: machine._persistent_id(machine._pop()),
}
"""What each opcode does. Not here: codes of the extension registry, and buffers that are kept outside."""
