"""The calls of Whisper's two networks, with what the text's holds between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtnet.generation.speech.audio import AROUND
from trtnet.support import dtypes
from trtnet.support.errors import InputError

Array = np.ndarray[Any, Any]


class Steps:
    """The texts of one window of sound, each a row: what the sound says, and the caches of the texts.

    encoder, decoder: references, engines or sessions of whisper_encoder and whisper_decoder. device: torch's name of
    the GPU that what is held is on; None for numpy arrays.
    Raises InputError for other networks.
    """

    def __init__(self, encoder: Any, decoder: Any, device: str | None = None) -> None:
        self._encoder, self._decoder, self._device = encoder, decoder, device
        named = {info.name: info for info in decoder.inputs}
        sound = [info for info in encoder.inputs if info.name == "samples"]
        if "sound_key_0" not in named or not sound:
            raise InputError("a Transcriber runs the networks of models.whisper_encoder() and models.whisper_decoder()")
        self._own = {name: info for name, info in named.items() if name.startswith(("key_", "value_"))}
        self.samples, self.capacity = int(sound[0].shape[1]) - 2 * AROUND, int(self._own["key_0"].shape[2])
        self._sound: dict[str, Any] = {}
        self._caches: dict[str, Any] = {}
        self._held = 0

    def listen(self, samples: Array, start: int, length: int, loudest: float) -> None:
        """Takes in a window of a recording, [samples] int32, from a sample on; after its end there is silence.

        length: how many samples of the window are heard. loudest: the largest feature of the recording.
        """
        window, begin = np.zeros((1, self.samples + 2 * AROUND), np.int32), max(0, AROUND - start)
        part = samples[start - AROUND + begin : start + self.samples + AROUND]
        window[0, begin : begin + len(part)] = part
        window[0, :begin] = window[0, 2 * begin : begin : -1]  # a recording begins with its reflection
        inputs = {
            "samples": window,
            "length": np.array([length], np.int32),
            "loudest": np.array([loudest], np.float32),
        }
        self._sound = dict(self._encoder(**{name: self._there(each) for name, each in inputs.items()}))

    def begin(self, prompt: Sequence[int], places: Sequence[int], rows: int) -> Array:
        """Begins `rows` equal texts with a prompt. Returns the logits at places of it, [places, vocabulary]."""
        caches = {name: self._empty(info) for name, info in self._own.items()}
        inputs: dict[str, Array] = {
            "input_ids": np.array([prompt], np.int64),
            "write_indices": np.zeros(1, np.int32),
            "places": np.array([places], np.int64),
        }
        sound = {name: each[:1] for name, each in self._sound.items()}
        found = self._call(inputs, caches, sound)
        self._caches = {name: self._repeated(found[f"new_{name}"], rows) for name in caches}
        if len(self._sound["sound_key_0"]) != rows:
            self._sound = {name: self._repeated(each[:1], rows) for name, each in self._sound.items()}
        self._held = len(prompt)
        return self._here(found["logits"])[0]

    def next(self, tokens: Sequence[int], sources: Sequence[int]) -> Array:
        """A token more of each text. sources: the row that each goes on from. Returns logits [rows, vocabulary]."""
        if list(sources) != list(range(len(sources))):
            order = np.array(sources)
            self._caches = {name: self._chosen(each, order) for name, each in self._caches.items()}
        rows = len(tokens)
        inputs: dict[str, Array] = {
            "input_ids": np.array(tokens, np.int64)[:, None],
            "write_indices": np.full(rows, self._held, np.int32),
            "places": np.zeros((rows, 1), np.int64),
        }
        found = self._call(inputs, self._caches, self._sound)
        self._caches = {name: found[f"new_{name}"] for name in self._caches}
        self._held += 1
        return self._here(found["logits"])[:, 0]

    def _call(self, inputs: dict[str, Array], caches: dict[str, Any], sound: dict[str, Any]) -> Any:
        return self._decoder(**{name: self._there(each) for name, each in inputs.items()}, **caches, **sound)

    def _empty(self, info: Any) -> Any:
        shape = (1, *map(int, info.shape[1:]))
        if self._device is None:
            return np.zeros(shape, dtypes.get(info.dtype).numpy)
        import torch

        return torch.zeros(shape, dtype=getattr(torch, info.dtype), device=self._device)

    def _there(self, array: Array) -> Any:
        if self._device is None:
            return array
        import torch

        return torch.from_numpy(array).to(self._device)

    def _here(self, found: Any) -> Array:
        return np.asarray(found if self._device is None else found.cpu().numpy())

    def _repeated(self, found: Any, rows: int) -> Any:
        return self._chosen(found, np.zeros(rows, np.int64)) if rows > 1 else found

    def _chosen(self, found: Any, order: Array) -> Any:
        return found[order] if self._device is None else found[self._there(order)]
