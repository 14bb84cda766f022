"""The state dicts in what a training script saved: found by what they are, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trtnet.checkpoint.formats.pickled.modules import is_module_note, module_state
from trtnet.checkpoint.formats.pickled.objects import Global, Object
from trtnet.support.errors import CheckpointError
from trtnet.support.text.counted import an

EXTRA_STATE = "_extra_state"
"""Where torch's state dicts have what ``get_extra_state`` of a module returned: any object, and no weight."""
MOST_NODES = 1_000_000
DEEPEST = 20
MOST_ELEMENTS = 100
_LISTED = 12

IsTensor = Callable[[object], bool]


def choose(name: str, root: object, key: str | None, is_tensor: IsTensor) -> Mapping[str, Any]:
    """The state dict in a loaded object: the object itself, or the only one that is in it anywhere.

    name: of the file, for messages. key: the path of the part to take, such as ``"ema.module"``. is_tensor: whether a
    value is a tensor. A module that was pickled whole is its state dict; what belongs to an optimizer is not included.
    Raises CheckpointError if there is none, several, or none at `key`.
    """
    node = root if key is None else _at(name, root, key, is_tensor)
    state = _state(node, is_tensor)
    if state is not None:
        return state
    found = parts(node, is_tensor)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise CheckpointError(_several(name, [f"{key}.{path}" if key else path for path in found]))
    raise CheckpointError(f"{name}{f' at {key}' if key else ''} {_without(node, is_tensor)}")


def parts(root: object, is_tensor: IsTensor) -> dict[str, Mapping[str, Any]]:
    """The state dicts in an object by their path. Those without any matrix are left out beside those that have some:
    states of random generators, measurements."""
    found = {path: state for path, state in _walk(root, is_tensor) if state}
    if len({id(state) for state in found.values()}) < len(found):
        found = dict({id(state): (path, state) for path, state in reversed(found.items())}.values())
    large = {path: state for path, state in found.items() if any(len(_shape(x)) > 1 for x in state.values())}
    return large or found


def _walk(root: object, is_tensor: IsTensor) -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen: set[int] = set()
    ahead: list[tuple[str, object, int]] = [("", root, 0)]
    while ahead and len(seen) < MOST_NODES:
        path, node, depth = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        state = _state(node, is_tensor) if path else None
        if state is not None:
            yield path, state
        elif depth < DEEPEST:
            prefix = f"{path}." if path else ""
            ahead += [(f"{prefix}{name}", child, depth + 1) for name, child in reversed(list(_children(node)))]


def _children(node: object) -> Iterator[tuple[str, object]]:
    """What is in a node by name. Not what belongs to an optimizer: its state is of tensors, and no weights."""
    if isinstance(node, list | tuple):
        yield from ((str(i), one) for i, one in enumerate(node[:MOST_ELEMENTS]))
        return
    for name, one in _named(node).items():
        if isinstance(name, str) and "optim" not in name.lower():
            yield name, one


def _named(node: object) -> Mapping[Any, Any]:
    if isinstance(node, Mapping):
        return node
    return node.attributes() if isinstance(node, Object) else {}


def _state(node: object, is_tensor: IsTensor) -> Mapping[str, Any] | None:
    """The state dict that a node is, without extra state; None where it is none."""
    if is_module_note(node):
        assert isinstance(node, Object)
        return module_state(node)
    items = node.items if isinstance(node, Object) else node
    if not isinstance(items, Mapping) or (isinstance(node, Object) and not items):
        return None
    kept = without_extra_state(items, is_tensor)
    return kept if all(isinstance(key, str) and is_tensor(value) for key, value in kept.items()) else None


def without_extra_state(items: Mapping[Any, Any], is_tensor: IsTensor) -> Mapping[Any, Any]:
    """The items without what modules gave as extra state, if it is not a tensor."""
    extra = [k for k, v in items.items() if isinstance(k, str) and k.endswith(EXTRA_STATE) and not is_tensor(v)]
    return {key: value for key, value in items.items() if key not in extra} if extra else items


def _at(name: str, root: object, key: str, is_tensor: IsTensor) -> object:
    """The node at a path; names may have dots in them."""
    node, rest = root, key
    while rest:
        children = dict(_named(node)) if not isinstance(node, list | tuple) else dict(_children(node))
        words = rest.split(".")
        heads = (".".join(words[:n]) for n in range(len(words), 0, -1))
        head = next((head for head in heads if head in children), None)
        if head is None:
            listed = _list(list(parts(root, is_tensor))) or "none"
            raise CheckpointError(f"{name} has no part {key!r}; its state dicts are: {listed}")
        node, rest = children[head], rest[len(head) + 1 :]
    return node


def _several(name: str, paths: list[str]) -> str:
    return (
        f"{name} has several state dicts: {_list(paths)}. Choose one: key={paths[0]!r} in"
        f" trtnet.open_checkpoint, --key {paths[0]} in commands"
    )


def _list(paths: list[str]) -> str:
    more = f" and {len(paths) - _LISTED:,} more" if len(paths) > _LISTED else ""
    return ", ".join(paths[:_LISTED]) + more


def _without(node: object, is_tensor: IsTensor) -> str:
    """Why there is no state dict: of what is nearest to one, the first value that is not a tensor."""
    best = _nearest(node, is_tensor)
    for key, value in best.items():
        if not isinstance(key, str):
            shown = repr(key)[:100] if isinstance(key, int | float | bytes) else "of a dict"
            return f"is not a state dict: the key {shown} is {_described(key)}; keys are strings"
        if not is_tensor(value):
            return (
                f"is not a state dict: {key} is {_described(value)}, not a tensor. A state dict holds only tensors:"
                f" save model.state_dict(), or pass the part that is one."
            )
    return f"holds {_described(node)}, not a state dict. Save it with torch.save(model.state_dict(), ...)."


def _nearest(root: object, is_tensor: IsTensor) -> Mapping[Any, Any]:
    best: Mapping[Any, Any] = root if isinstance(root, Mapping) else {}
    seen: set[int] = set()
    ahead: list[tuple[object, int]] = [(root, 0)]
    most = -1
    while ahead and len(seen) < MOST_NODES:
        node, depth = ahead.pop()
        if id(node) in seen or depth > DEEPEST:
            continue
        seen.add(id(node))
        count = sum(is_tensor(value) for value in node.values()) if isinstance(node, Mapping) else 0
        if isinstance(node, Mapping) and count > max(most, 0):
            best, most = node, count
        ahead += [(child, depth + 1) for _, child in _children(node)]
    return best


def _described(value: object) -> str:
    if isinstance(value, Object):
        return f"an object of {value.name[:100]}"
    if isinstance(value, Global):
        return f"the name {str(value)[:100]}"
    return an(type(value).__name__)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape)
