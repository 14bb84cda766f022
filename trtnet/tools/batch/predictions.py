"""Rows through a model: in batches, in order, a bad row by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trtnet.support.call_interface import by_name, returned
from trtnet.support.errors import ExecutionError, InputError, ProfileError
from trtnet.tools.batch.rows import Row

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Prepare = Callable[[Mapping[str, Any]], Arrays]
"""Makes a model's inputs of the fields of a row."""


@dataclass(frozen=True)
class Prediction:
    """outputs: by name, without the batch axis; {} of a row that does not fit, with `error` saying why."""

    row: Row
    outputs: Mapping[str, Array] = field(default_factory=dict)
    error: str = ""


def predictions(function: Any, rows: Iterator[Row], prepare: Prepare, batch: int, record: bool) -> Iterator[Prediction]:
    """The results of rows, in their order.

    function: an engine, whose pipeline copies and computes at once, or a reference. batch: rows in a call. record: give
    a row that does not fit, or has values that a reference does not take, as one with an error; else InputError is
    raised, with where the row is from.
    """
    waiting: deque[Prediction] = deque()

    def samples() -> Iterator[Arrays]:
        for row in rows:
            try:
                found = prepare(_whole(row))
            except (InputError, ProfileError) as error:
                if not record:
                    raise InputError(f"{row}: {error}") from error
                waiting.append(Prediction(row, error=str(error)))
                continue
            waiting.append(Prediction(row))
            yield found

    for result in results(function, samples(), batch):
        while waiting[0].error:
            yield waiting.popleft()
        row = waiting.popleft().row
        if not isinstance(result, ExecutionError):
            yield Prediction(row, by_name(result, function.outputs))
        elif record:
            yield Prediction(row, error=str(result))
        else:
            raise InputError(f"{row}: {result}") from result
    yield from waiting


def _whole(row: Row) -> Mapping[str, Any]:
    """The fields of a row. Raises InputError for one that is damaged."""
    if row.damaged:
        raise InputError(row.damaged)
    return row.fields


def results(function: Any, samples: Iterator[Arrays], batch: int) -> Iterator[Any]:
    """What an engine or a reference returns for each of the samples, by itself.

    In its place is the ExecutionError of a sample whose values a reference does not take.
    """
    if hasattr(function, "pipeline"):
        yield from function.pipeline(samples, batch=batch)
        return
    rows = _fixed_rows(function)
    group: list[Arrays] = []
    for sample in samples:
        if group and (len(group) == (rows or batch) or _shapes(sample) != _shapes(group[0])):
            yield from _called(function, group, rows)
            group = []
        group.append(sample)
    if group:
        yield from _called(function, group, rows)


def checked(function: Any, prepare: Prepare, batch: int) -> Prepare:
    """The same, raising ProfileError for a row that no profile of an engine takes."""
    if not hasattr(function, "pipeline"):
        return prepare
    from trtnet.runtime.serving.samples import Samples  # which needs TensorRT

    samples = Samples(function.info, batch)
    return lambda fields: dict(samples.look((), prepare(fields)).arrays)


def check_batched(function: Any) -> None:
    """Raises InputError for a model whose inputs and outputs do not have one first axis, that of the rows."""
    tensors = (*function.inputs, *function.outputs)
    axes = {tensor.shape[:1] for tensor in tensors}
    if len(axes) > 1 or () in axes:
        raise InputError(f"rows need a batch axis, the first of every input and output: {', '.join(map(str, tensors))}")


def _fixed_rows(function: Any) -> int | None:
    size = function.inputs[0].shape[0]
    return size if isinstance(size, int) else None


def _called(function: Any, group: list[Arrays], rows: int | None) -> Iterator[Any]:
    """One call. A model of a fixed batch gets zeros in the rows that there are not."""
    padding = [{name: np.zeros_like(array) for name, array in group[0].items()}] * ((rows or len(group)) - len(group))
    stacked = {name: np.stack([sample[name] for sample in (*group, *padding)]) for name in group[0]}
    try:
        outputs = by_name(function(**stacked), function.outputs)
    except ExecutionError as error:
        if len(group) == 1:
            yield error
        else:
            for sample in group:
                yield from _called(function, [sample], rows)
        return
    for index in range(len(group)):
        yield returned({name: array[index] for name, array in outputs.items()})


def _shapes(sample: Arrays) -> list[tuple[int, ...]]:
    return [array.shape for array in sample.values()]
