"""Sound files: WAV of any rate, as samples of 16 bits and 16 kHz."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from numbers import Integral
from os import PathLike
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from trtnet.support.errors import InputError
from trtnet.support.text.counted import counted

RATE = 16000
"""Samples a second of what speech networks take."""
AROUND = 200
"""Samples before and after a window of sound that its spectra reach."""
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZES = (0x7FFFFFFF, 0xFFFFFFFF)
"""What is written for a size by programs that do not know it yet."""
_ZEROS = 16
"""Zeros of the sinc on each side, when sound is resampled."""

Array = np.ndarray[Any, Any]


def read_sound(path: str | PathLike[str]) -> Array:
    """The sound of a WAV file, [samples] int32 from -32768 to 32767, of 16 kHz; the mean of its channels.

    Integers of 8, 16, 24 and 32 bits and floats of 32 and 64 are read.
    Raises InputError for another file, one with less sound than it promises, and one with NaN or infinite values.
    """
    sound, rate = read_wav(path)
    try:
        return to_samples(sound.mean(1), rate)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def to_samples(sound: Array, rate: int) -> Array:
    """[samples] floating from -1 to 1, of `rate` a second, as int32 from -32768 to 32767 of 16 kHz.

    Raises InputError for other arrays and rates, and for NaN and infinite values: it says where.
    """
    if sound.ndim != 1 or not np.issubdtype(sound.dtype, np.floating):
        found = f"{list(sound.shape)} {sound.dtype}"
        raise InputError(f"sound is [samples] of floats from -1 to 1; found {found}: of channels, take the mean")
    if not isinstance(rate, Integral) or rate < 1:
        raise InputError(f"the rate is a whole number of samples a second, at least 1; found {rate!r}")
    (places,) = np.nonzero(~np.isfinite(sound))
    if places.size:
        first, count = int(places[0]), places.size
        raise InputError(
            f"sample {first:,}, at {first / rate:.3f} s, is {sound[first]}, and {counted(count, 'value')} of"
            f" {sound.size:,} {'is' if count == 1 else 'are'} not finite: write the sound again"
        )
    found = np.round(resampled(sound, rate, RATE) * 32768)
    return found.clip(-32768, 32767).astype(np.int32)


def read_wav(path: str | PathLike[str]) -> tuple[Array, int]:
    """([samples, channels] float64 from -1 to 1, samples a second).

    Raises InputError for what is no readable WAV, or holds less sound than it promises. A size of 0xFFFFFFFF promises
    nothing, and neither does 0 with sound behind it: programs that write to a pipe write them.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    chunks, missing = _chunks(data)
    form = chunks.get(b"fmt ", b"")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE" or len(form) < 16 or b"data" not in chunks:
        command = f"ffmpeg -i {quote(str(path))} sound.wav"
        raise InputError(f"{path} is not a WAV file: convert it first, for example with `{command}`")
    kind, channels = (int.from_bytes(form[at : at + 2], "little") for at in (0, 2))
    rate, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
    if kind == _EXTENSIBLE and len(form) >= 26:
        kind = int.from_bytes(form[24:26], "little")
    if not channels or not rate:
        said = f"{counted(channels, 'channel')} and {counted(rate, 'sample')} a second"
        raise InputError(f"{path} is damaged: it says that it has {said}")
    if (kind, bits) not in _READERS:
        raise InputError(
            f"{path} has sound of format {kind} with {counted(bits, 'bit')}, which is not read: convert it to 16 bits"
        )
    if missing:
        promised = len(chunks[b"data"]) + missing
        raise InputError(
            f"{path} ends early: it promises {counted(promised, 'byte')} of sound and has {promised - missing:,}"
        )
    width = channels * bits // 8
    whole = chunks[b"data"][: len(chunks[b"data"]) // width * width]
    return _READERS[kind, bits](whole).reshape(-1, channels), rate


def _chunks(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """(the parts of a RIFF file by name, the bytes of sound that are promised beyond its end)."""
    found: dict[bytes, bytes] = {}
    place, missing = 12, 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        name = data[place : place + 4]
        if name == b"data" and name not in found and size not in _UNKNOWN_SIZES:
            missing = max(0, place + 8 + size - len(data))
        if name == b"data" and size == 0 and not _are_chunks(data, place + 8):
            size = len(data)
        found.setdefault(name, data[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return found, missing


def _are_chunks(data: bytes, place: int) -> bool:
    """Whether what begins there is parts of a RIFF file up to its end, whose names are printable, as silence is not."""
    while place + 8 <= len(data) and all(32 <= byte < 127 for byte in data[place : place + 4]):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return place in (len(data), len(data) + 1)


def _of_24_bits(data: bytes) -> Array:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0] / 2**31


_READERS: dict[tuple[int, int], Callable[[bytes], Array]] = {
    (_PCM, 8): lambda data: (np.frombuffer(data, np.uint8) - 128.0) / 128,
    (_PCM, 16): lambda data: np.frombuffer(data, "<i2") / 2.0**15,
    (_PCM, 24): _of_24_bits,
    (_PCM, 32): lambda data: np.frombuffer(data, "<i4") / 2.0**31,
    (_FLOAT, 32): lambda data: np.frombuffer(data, "<f4").astype(np.float64),
    (_FLOAT, 64): lambda data: np.frombuffer(data, "<f8").astype(np.float64),
}


def resampled(sound: Array, rate: int, wanted: int) -> Array:
    """[samples] of `rate` as [samples * wanted / rate] of `wanted`: by a sinc of 16 zeros under a Hann window.

    Frequencies above half of the lower rate are left out.
    """
    if rate == wanted:
        return sound
    up, down = wanted // gcd(rate, wanted), rate // gcd(rate, wanted)
    cutoff = min(1.0, up / down)
    reach = int(np.ceil(_ZEROS / cutoff))
    padded = np.pad(sound.astype(np.float64), reach)
    count = -(-len(sound) * up // down)
    found = np.empty(count)
    for phase in range(min(up, count)):
        places = np.arange(phase, count, up)
        begins, offset = places * down // up, (phase * down % up) / up
        distance = np.arange(-reach, reach + 1) - offset
        window = np.cos(np.pi / 2 * np.clip(distance / reach, -1, 1)) ** 2
        kernel = cutoff * np.sinc(cutoff * distance) * window
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(padded, (0, 1)), 2 * reach + 1)
        found[phase::up] = windows[begins] @ kernel
    return found
