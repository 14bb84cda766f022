"""How an engine is run is fixed by its first call: what is set later, or misspelt, is an error."""

from __future__ import annotations

import pytest
from helpers.runtime.engines import engine_of, x

from trtnet import EngineOptions
from trtnet.runtime import Engine
from trtnet.support.errors import InputError


def test_options_are_attributes_until_the_first_call() -> None:
    engine, _ = engine_of(lambda x: x * 2)
    engine.cuda_graph, engine.concurrency = False, 2
    assert engine.options == EngineOptions(cuda_graph=False, concurrency=2)
    engine(x())
    for name, value in (("cuda_graph", True), ("concurrency", 4), ("specialize", True), ("options", EngineOptions())):
        with pytest.raises(InputError, match=r"before an engine's first call.*runs with EngineOptions\(.*=False"):
            setattr(engine, name, value)
    engine.cuda_graph = False  # what it is already


@pytest.mark.parametrize("name", ["concurency", "cuda_graphs", "profile"])
def test_a_misspelt_option(name: str) -> None:
    engine, _ = engine_of(lambda x: x * 2)
    with pytest.raises(AttributeError, match=name):
        setattr(engine, name, 2)
    with pytest.raises(TypeError, match=name):
        EngineOptions(**{name: 2})


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"concurrency": 0}, "at least 1; found 0"),
        ({"concurrency": 2.0}, "found 2.0"),
        ({"concurrency": True}, "found True"),
        ({"cuda_graph": "yes"}, "True, False or \"backend\"; found 'yes'"),
        ({"specialize": "no"}, "found 'no'"),
    ],
)
def test_options_of_another_kind(option: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        EngineOptions(**option)  # type: ignore[arg-type]
    engine, _ = engine_of(lambda x: x * 2)
    ((name, value),) = option.items()
    with pytest.raises(InputError, match=text):
        setattr(engine, name, value)


def test_the_same_engine_elsewhere_has_them_too() -> None:
    engine, _ = engine_of(lambda x: x * 2)
    engine.concurrency = 3
    assert engine.on(1).options.concurrency == 3
    assert Engine(engine.plan, options=EngineOptions(specialize=True)).specialize is True
