"""Messages to a prompt, by the template that a model comes with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from trtnet.support.errors import DependencyError, InputError


class ChatTemplate:
    """A chat template of transformers or a GGUF file, which jinja2 runs in its sandbox.

    text: the template. tokens: ``bos_token``, ``eos_token`` and others, as it may name them. Both are kept.
    Raises DependencyError without jinja2, InputError for an invalid template.
    """

    def __init__(self, text: str, tokens: Mapping[str, str]) -> None:
        try:
            from jinja2 import TemplateError
            from jinja2.ext import Extension
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise DependencyError("chat templates need jinja2: pip install 'trtnet[text]'") from error
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _generation(Extension)]
        )
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
        self.text, self.tokens = text, dict(tokens)
        try:
            self._template = environment.from_string(text)
        except (TemplateError, TypeError) as error:
            raise InputError(f"the chat template cannot be read: {error}") from error

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt of messages, ``{"role": "user", "content": "Hello"}``, up to where the answer begins.

        Raises InputError for messages that the template does not take.
        """
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **_NOTHING, **self.tokens)
        except InputError:
            raise
        except Exception as error:  # a template computes: it may divide by zero, or add text and numbers
            raise InputError(f"the chat template does not take these messages: {error}") from error


_NOTHING = {"tools": None, "documents": None}
"""What transformers gives templates of conversations without tools."""


def _generation(extension: Any) -> Any:
    """``{% generation %}`` marks what a model says, for those who train it; its text is written as it is."""

    class Generation(extension):  # type: ignore[misc]
        tags = frozenset({"generation"})

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    return Generation


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _refuse(text: str) -> NoReturn:
    raise InputError(f"the chat template does not take these messages: {text}")
