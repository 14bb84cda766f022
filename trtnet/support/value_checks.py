"""Checks of values in a module's code, such as ``assert (x > 0).all()``: of two ways on, one does nothing but raise.

A network has no values to check, and goes the other way.
"""

from __future__ import annotations

import dis
import logging
import sys
from types import CodeType, FrameType

from trtnet.support.source import caller, here

log = logging.getLogger("trtnet.definition")

_BETWEEN = frozenset(("COMPARE_OP", "CACHE", "EXTENDED_ARG", "TO_BOOL", "NOT_TAKEN", "NOP", "PRECALL"))
"""Instructions between those that ask for a truth value, or compare, and the jump by it."""


def passing() -> bool | None:
    """The truth value that passes the check which the user's code is making; None if it makes none.

    Warns of what is left out, with the line.
    """
    line, frame = caller(), _users_frame()
    found = None if line is None or frame is None else _passing(frame.f_code, frame.f_lasti)
    if found is not None:
        log.warning("%s", here("a check of values that only raises is left out: an engine does not make it"))
    return found


def _users_frame() -> FrameType | None:
    """The frame in which a tensor's truth value was asked for: that of the line that ``caller`` gives."""
    line, frame = caller(), sys._getframe(1)
    while frame is not None and line is not None:
        if (frame.f_code.co_filename, frame.f_lineno) == (line.file, line.line):
            return frame
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _passing(code: CodeType, place: int) -> bool | None:
    instructions = list(dis.get_instructions(code))
    places = {each.offset: index for index, each in enumerate(instructions)}
    index = places.get(place)
    while index is not None and index < len(instructions) and instructions[index].opname in _BETWEEN:
        index += 1
    if index is None or _is_caught(code, place):
        return None
    jump = instructions[index]
    if not jump.opname.startswith("POP_JUMP") or not jump.opname.endswith(("_IF_TRUE", "_IF_FALSE")):
        return None
    on_true = jump.opname.endswith("_IF_TRUE")
    away, on = _raises(instructions, places[jump.argval]), _raises(instructions, index + 1)
    return None if away == on else (on_true if on else not on_true)


def _raises(instructions: list[dis.Instruction], index: int) -> bool:
    """Whether the code from an instruction on raises, whatever the values are."""
    for each in instructions[index:]:
        if each.opname == "RAISE_VARARGS":
            return True
        if "JUMP" in each.opname or each.opname.startswith(("RETURN", "YIELD", "FOR_ITER")):
            return False
    return False


def _is_caught(code: CodeType, place: int) -> bool:
    """Whether the function itself catches what is raised at a place: then raising is one of its ways on."""
    known = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
    entries = [each for each in known if each.start <= place < each.end]
    handlers = {each.target for each in entries}
    after = [each for each in dis.get_instructions(code) if each.offset in handlers or each.offset - 2 in handlers]
    return any(each.opname not in ("PUSH_EXC_INFO", "WITH_EXCEPT_START", "CACHE") for each in after)
