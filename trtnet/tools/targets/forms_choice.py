"""The forms of operations that the command line chooses: ``--form`` and ``--approximations``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trtnet.graph.forms import WHOLE
from trtnet.ops.formulations import GivenForms
from trtnet.ops.formulations.tuning import SUFFIX
from trtnet.support.errors import ModelError


@dataclass(frozen=True)
class FormsChoice:
    """What ``define(forms=..., approximations=...)`` takes."""

    forms: GivenForms = field(default_factory=dict)
    approximations: bool = False

    @property
    def is_given(self) -> bool:
        """Whether anything was chosen."""
        return bool(self.forms) or self.approximations


def forms_choice(texts: Sequence[str], approximations: bool) -> FormsChoice:
    """``["gelu=float32", "layer1.*:gelu=layer"]`` -> forms by kind and pattern, those of the whole network last.

    A file that `trtnet tune` wrote stands alone, and is what ``define(forms=...)`` takes.
    Raises ModelError for anything else, and for two forms of the same.
    """
    if len(texts) == 1 and texts[0].endswith(SUFFIX):
        return FormsChoice(texts[0], approximations)
    forms: dict[str, dict[str, str]] = {}
    for text in sorted(texts, key=lambda text: ":" not in text):
        place, equals, form = text.rpartition("=")
        pattern, _, kind = place.rpartition(":")
        if not (equals and kind and form):
            raise ModelError(
                f"--form is written gelu=float32, or 'layer1.*:gelu=float32'; or alone x{SUFFIX}; found {text!r}"
            )
        chosen = forms.setdefault(kind, {})
        if (pattern or WHOLE) in chosen:
            raise ModelError(f"--form {text}: {kind} has the form {chosen[pattern or WHOLE]!r} there already")
        chosen[pattern or WHOLE] = form
    return FormsChoice(forms, approximations)
