"""Messages to a prompt, by the template that a model comes with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from trtnet.support.errors import DependencyError, InputError


class ChatTemplate:
    """A chat template of transformers or a GGUF file, which jinja2 runs in its sandbox.

    text: the template. tokens: ``bos_token`` and ``eos_token``, as it may name them.
    Raises DependencyError without jinja2, InputError for an invalid template.
    """

    def __init__(self, text: str, tokens: Mapping[str, str]) -> None:
        try:
            from jinja2 import TemplateError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise DependencyError("chat templates need jinja2: pip install 'trtnet[text]'") from error
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": datetime.now().strftime}
        self._error, self._tokens = TemplateError, dict(tokens)
        try:
            self._template = environment.from_string(text)
        except TemplateError as error:
            raise InputError(f"the chat template cannot be read: {error}") from error

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt of messages, ``{"role": "user", "content": "Hello"}``, up to where the answer begins.

        Raises InputError for messages that the template does not take.
        """
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **self._tokens)
        except self._error as error:
            raise InputError(f"the chat template does not take these messages: {error}") from error


def _refuse(text: str) -> NoReturn:
    raise InputError(f"the chat template does not take these messages: {text}")
