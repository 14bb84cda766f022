"""Speech to text: sound files, which tokens may follow, texts that are followed at once, windows and their segments."""

from __future__ import annotations

import itertools
import struct
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import originals

from trtnet import InputError, TranscriptionConfig
from trtnet.generation.speech.audio import RATE, read_sound, read_wav, resampled, to_samples
from trtnet.generation.speech.decoding import Decoding, log_softmax
from trtnet.generation.speech.tokens import SpeechTokens, speech_tokens
from trtnet.generation.speech.transcriber import Transcriber

RNG = np.random.default_rng(0)
TOKENS = SpeechTokens(
    end=60, begin=61, previous=65, no_speech=66, no_times=67, tasks={"transcribe": 64, "translate": 63},
    languages={}, suppressed=(3, 61, 63, 64, 65, 66), suppressed_first=(5, 60),
)  # fmt: skip
TIMES, VOCABULARY = 68, 68 + 1501


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integers_of_every_width_are_read(tmp_path: Path, width: int) -> None:
    values = RNG.integers(-(2 ** (8 * width - 1)), 2 ** (8 * width - 1), (50, 2), np.int64)
    raw = values + 128 if width == 1 else values
    data = b"".join(int(n).to_bytes(width, "little", signed=width > 1) for n in raw.ravel())
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, width, 8000, 0, "NONE", ""))
        file.writeframes(data)
    sound, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_allclose(sound, values / 2.0 ** (8 * width - 1), rtol=0, atol=1e-12)


def test_floats_are_read_and_what_is_not_sound_is_refused(tmp_path: Path) -> None:
    path, values = tmp_path / "a.wav", RNG.normal(0, 0.1, 40).astype(np.float32)
    form = struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32)
    parts = b"WAVEfmt " + struct.pack("<I", 16) + form + b"note\3\0\0\0abc\0" + b"data" + struct.pack("<I", 160)
    whole = b"RIFF" + struct.pack("<I", len(parts) + 160) + parts + values.tobytes()
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_sound(path), np.round(values.astype(np.float64) * 32768))
    path.write_bytes(whole.replace(form, struct.pack("<HHIIHH", 2, *struct.unpack("<2xHIIHH", form))))
    with pytest.raises(InputError, match="format 2 with 32 bits"):
        read_sound(path)
    path.write_bytes(b"ID3" + whole)
    with pytest.raises(InputError, match="not a WAV file: convert it"):
        read_sound(path)
    (tmp_path / "a b.wav").write_bytes(b"ID3" + whole)  # the command is one that a shell takes
    with pytest.raises(InputError, match=r"`ffmpeg -i '.*/a b\.wav' sound\.wav`"):
        read_sound(tmp_path / "a b.wav")
    path.write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"ends early: it promises 160 bytes of sound and has 120"):
        read_sound(str(path))
    unknown = whole.replace(b"data" + struct.pack("<I", 160), b"data\xff\xff\xff\xff")
    path.write_bytes(unknown)  # as ffmpeg writes to a pipe
    assert len(read_sound(str(path))) == 40
    path.write_bytes(whole.replace(b"data" + struct.pack("<I", 160), b"data\0\0\0\0"))
    assert len(read_sound(path)) == 40
    path.write_bytes(whole[: whole.index(b"data")] + b"data\0\0\0\0" + bytes(160))
    assert read_wav(path)[0].shape == (40, 1), "silence is no parts of a file"
    path.write_bytes(whole[: whole.index(b"data")] + b"data\0\0\0\0LIST\4\0\0\0abcd")
    assert len(read_sound(path)) == 0  # there is no sound, and a part behind it
    for channels, rate in ((0, RATE), (1, 0)):
        damaged = struct.pack("<HHI", 3, channels, rate) + form[8:]
        path.write_bytes(whole.replace(form, damaged))
        with pytest.raises(
            InputError, match=rf"damaged: it says .* {channels} channels? and {rate:,} samples a second"
        ):
            read_sound(path)
    with pytest.raises(InputError, match=r"cannot read .*b\.wav"):
        read_sound(tmp_path / "b.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_sound(tmp_path: Path, value: float) -> None:
    values = np.zeros(30, np.float32)
    values[[24, 27]] = value
    form = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    parts = b"WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", 120)
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0" + parts + values.tobytes())
    text = rf"sample 24, at 0\.003 s, is {value}, and 2 values of 30 are not finite"
    with pytest.raises(InputError, match=rf"a\.wav: {text}"):
        read_sound(tmp_path / "a.wav")
    with pytest.raises(InputError, match=text):
        to_samples(values, 8000)


@pytest.mark.parametrize(
    ("sound", "rate", "says"),
    [
        (np.zeros((9, 2)), 8000, r"found \[9, 2\] float64: of channels, take the mean"),
        (np.zeros(9, np.int16), 8000, r"floats from -1 to 1; found \[9\] int16"),
        (np.zeros(9), 0, "at least 1; found 0"),
        (np.zeros(9), 22050.5, "a whole number of samples a second.*22050.5"),
    ],
)
def test_what_is_no_sound_of_floats(sound: Any, rate: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_samples(sound, rate)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampled_tones_are_the_same_tones(rate: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    found = resampled(tone, rate, RATE)
    wanted = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / RATE)
    assert len(found) == RATE
    assert np.abs(found - wanted)[200:-200].max() <= 2e-3
    above = np.sin(2 * np.pi * 0.45 * rate * np.arange(rate) / rate)
    if rate > 2 * RATE:
        assert np.abs(resampled(above, rate, RATE))[200:-200].max() <= 0.01
    assert np.abs(to_samples(tone, rate)[200:-200] - 32768 * wanted[200:-200]).max() <= 70


def test_what_may_follow_is_what_transformers_allows() -> None:
    originals.import_torchvision()
    from transformers import GenerationConfig
    from transformers.generation import logits_process as theirs

    config = GenerationConfig(no_timestamps_token_id=67, eos_token_id=60, max_initial_timestamp_index=50)
    chain = [
        theirs.SuppressTokensLogitsProcessor([*TOKENS.suppressed]),
        theirs.SuppressTokensAtBeginLogitsProcessor([*TOKENS.suppressed_first], 1),
        theirs.WhisperTimeStampLogitsProcessor(config, begin_index=1),
    ]
    histories = [[], [TIMES + 3], [TIMES, 7, 8], [TIMES, 7, TIMES + 9], [TIMES, 7, TIMES + 9, TIMES + 9],
                 [TIMES, 7, TIMES + 9, TIMES + 9, 2], [TIMES + 4, TIMES + 5], [TIMES, 1, TIMES + 1500]]  # fmt: skip
    for history, lift in itertools.product(histories, (-3.0, 0.0, 6.0)):
        scores = RNG.normal(0, 2, VOCABULARY).astype(np.float32)
        scores[TIMES:] += lift
        wanted = torch.from_numpy(scores[None].copy())
        for process in chain:
            wanted = process(torch.tensor([[61, *history]]), wanted)
        TOKENS.forbid(scores, history, True)
        np.testing.assert_array_equal(np.isfinite(scores), np.isfinite(wanted[0].numpy()), err_msg=f"{history} {lift}")


class Scripted:
    """Steps whose logits are those of a table by the last token; what was said is in `rows`."""

    capacity = 16

    def __init__(self, table: np.ndarray) -> None:
        self.table, self.rows, self.calls = table, list[list[int]](), 0

    def begin(self, prompt: Sequence[int], places: Sequence[int], rows: int) -> np.ndarray:
        self.rows = [[prompt[-1]] for _ in range(rows)]
        return self.table[[prompt[place] for place in places]]

    def next(self, tokens: Sequence[int], sources: Sequence[int]) -> np.ndarray:
        self.calls += 1
        self.rows = [[*self.rows[source], token] for token, source in zip(tokens, sources, strict=True)]
        return self.table[list(tokens)]


LETTERS = SpeechTokens(
    end=4, begin=5, previous=6, no_speech=7, no_times=8, tasks={}, languages={}, suppressed=(5, 6, 7, 8),
    suppressed_first=(4,),
)  # fmt: skip


def decoded(
    table: np.ndarray, temperature: float = 0.0, seed: int = 0, prompt: Sequence[int] = (5,), **options: Any
) -> Any:
    config, steps = TranscriptionConfig(timestamps=False, **options), Scripted(table)
    found = Decoding(steps, LETTERS, config)(prompt, 0, temperature, np.random.default_rng(seed))  # type: ignore[arg-type]
    assert len(prompt) + steps.calls <= steps.capacity
    return found


def likelihood(table: np.ndarray, tokens: Sequence[int]) -> float:
    """The sum of the logarithms, and what a text of them is measured by."""
    total = 0.0
    for i, (before, token) in enumerate(itertools.pairwise([5, *tokens])):
        scores = table[before].copy()
        scores[[5, 6, 7, 8, *([4] if i == 0 else [])]] = -np.inf
        total += float(log_softmax(scores)[token])
    return total


def test_enough_beams_find_the_most_likely_text() -> None:
    greedy_too = 0
    texts = [*itertools.product((0, 1), (2, 3))]
    follows = {5: [0, 1], 0: [2, 3], 1: [2, 3], 2: [4], 3: [4]}
    for seed in range(12):
        table = np.full((9, 9), -40, np.float32)
        for before, after in follows.items():
            table[before, after] = np.random.default_rng([seed, before]).normal(0, 2, len(after))
        table[5, 7] = 1
        wanted = max(texts, key=lambda text: likelihood(table, [*text, 4]))
        best, greedy = decoded(table, beam_size=4), decoded(table)
        assert best.tokens == [*wanted]
        assert best.logprob == pytest.approx(likelihood(table, [*wanted, 4]), abs=1e-4)
        assert greedy.logprob == pytest.approx(likelihood(table, [*greedy.tokens, 4]), abs=1e-4)
        assert best.no_speech == pytest.approx(np.exp(log_softmax(table[5]))[7], abs=1e-6)
        greedy_too += greedy.tokens == best.tokens
    assert 0 < greedy_too < 12


def test_a_text_ends_where_the_caches_do_and_samples_have_a_seed() -> None:
    table = np.zeros((9, 9), np.float32)
    table[:, 4] = -50
    table[:, 1] = 1
    assert decoded(table).tokens == [1] * 8
    for held, count in ((6, 8), (12, 5), (16, 1)):  # the last token is chosen, and not given to the network
        assert decoded(table, prompt=[5] * held).tokens == [1] * count
    samples = [tuple(decoded(table, 1.0, seed, best_of=3).tokens) for seed in (0, 0, 1, 2)]
    assert samples[0] == samples[1] and len({*samples}) == 3
    assert all(len(sample) == 8 and {*sample} <= {0, 1, 2, 3} for sample in samples)


class Words:
    """A word a token; 0 is a space."""

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(f" w{token}" if token else " " for token in tokens)


class Speaker:
    """Networks that say given tokens for each window, with certainty; `heard` is what they were given."""

    def __init__(self, said: Sequence[Sequence[int]], no_speech: float = 0.0, sure: float = 30.0) -> None:
        self.said, self.window, self.no_speech, self.sure = said, -1, no_speech, sure
        self.prompts: list[list[int]] = []
        self.heard: list[tuple[int, float]] = []
        shape = (1, 1, 448, 2)
        self.encoder = self._network(self._listen, samples=(1, 32400))
        self.decoder = self._network(self._step, key_0=shape, value_0=shape, sound_key_0=(1, 1, 9, 2))

    def _network(self, call: Any, **shapes: tuple[int, ...]) -> Any:
        kind = type("Network", (), {"__call__": staticmethod(call)})
        found = kind()
        found.inputs = [SimpleNamespace(name=name, shape=shape, dtype="float32") for name, shape in shapes.items()]
        return found

    def _listen(self, samples: np.ndarray, length: np.ndarray, loudest: np.ndarray) -> dict[str, np.ndarray]:
        self.window += 1
        self.heard.append((int(length[0]), float(samples[0, 200])))
        return {"sound_key_0": np.zeros((1, 1, 9, 2), np.float32)}

    def _step(self, input_ids: np.ndarray, write_indices: np.ndarray, places: np.ndarray, **held: Any) -> Any:
        rows, count = places.shape
        if input_ids.shape[1] > 1 or write_indices[0] == 0:
            self.prompts.append([*map(int, input_ids[0])])
        at = int(write_indices[0]) + input_ids.shape[1] - len(self.prompts[-1])
        logits = np.zeros((rows, count, VOCABULARY), np.float32)
        said = [*self.said[self.window], 60]
        logits[:, -1, said[min(at, len(said) - 1)]] = self.sure
        logits[:, 0, 66] = np.log(self.no_speech * VOCABULARY / (1 - self.no_speech) + 1e-9)
        return {"logits": logits, "new_key_0": held["key_0"], "new_value_0": held["value_0"]}


def transcribed(speaker: Speaker, seconds: float, **options: Any) -> list[tuple[float, float, str]]:
    samples = np.arange(int(seconds * RATE), dtype=np.int32) % 30000
    transcriber = Transcriber(speaker.encoder, speaker.decoder, Words(), TOKENS, lambda sound: -1.0)
    found = transcriber(samples, TranscriptionConfig(temperatures=(0.0,), **options))
    return [(segment.start, segment.end, segment.text) for segment in found.segments]


def test_windows_begin_where_the_last_whole_segment_ends() -> None:
    speaker = Speaker(
        [[TIMES, 1, 2, TIMES + 40, TIMES + 50, 7, TIMES + 70, TIMES + 70], [TIMES + 5, 9, TIMES + 25], [TIMES, 8]]
    )
    found = transcribed(speaker, 4.0)
    assert found == [
        (0.0, 0.8, " w1 w2"), (1.0, 1.4, " w7"), (1.4, 1.9, " w9"), (3.4, 4.0, " w8"),
    ]  # fmt: skip
    assert speaker.heard == [(32000, 0), (32000, 22400), (9600, 54400 % 30000)]
    assert speaker.prompts[0] == [61]
    assert speaker.prompts[1][:3] == [65, TIMES, 1] and speaker.prompts[1][-1] == 61


def test_a_window_is_heard_with_what_is_around_it() -> None:
    speaker, heard = Speaker([[TIMES, 1, TIMES + 90, TIMES + 90], [TIMES, 2]]), list[np.ndarray]()
    said = speaker.encoder
    speaker.encoder = speaker._network(
        lambda **given: heard.append(given["samples"][0]) or said(**given), samples=(1, 32400)
    )
    transcribed(speaker, 2.5)
    recording = np.pad(np.arange(40000, dtype=np.int32) % 30000, (0, 32000))  # as openai-whisper pads it
    whole = np.pad(recording, (200, 0), "reflect")
    for window, start in zip(heard, (0, 28800), strict=True):
        np.testing.assert_array_equal(window, whole[start : start + 32400])


def test_silence_has_no_text_and_a_text_that_repeats_itself_is_tried_again() -> None:
    silent = Speaker([[TIMES, 1], [TIMES, 2]], no_speech=0.99, sure=4.0)
    assert transcribed(silent, 4.0) == [] and silent.window == 1
    endless = Speaker([[TIMES, *[7] * 200, TIMES + 100]])
    samples = np.zeros(2 * RATE, np.int32)
    transcriber = Transcriber(endless.encoder, endless.decoder, Words(), TOKENS, lambda sound: -1.0)
    (segment,) = transcriber(samples, TranscriptionConfig(temperatures=(0.0, 0.01), best_of=1)).segments
    assert segment.temperature == 0.01 and len(endless.prompts) == 2


class Polyglot(Speaker):
    """Says the language 41 of sound that fills the window, and 40 of what is shorter."""

    def _step(self, input_ids: np.ndarray, write_indices: np.ndarray, places: np.ndarray, **held: Any) -> Any:
        found = super()._step(input_ids, write_indices, places, **held)
        if input_ids.tolist() == [[61]]:
            found["logits"][..., [7, 40, 41]] = 50, 40, 39 + 2 * (self.heard[-1][0] == 32000)
        return found


def test_the_language_is_that_of_the_sound_and_the_silence_after_it() -> None:
    speaker, tokens = Polyglot([[], [TIMES, 7, TIMES + 50]]), replace(TOKENS, languages={"de": 40, "ja": 41})
    transcriber = Transcriber(speaker.encoder, speaker.decoder, Words(), tokens, lambda sound: -1.0)
    found = transcriber(np.ones(RATE, np.int32), TranscriptionConfig(task="translate", temperatures=(0.0,)))
    assert found.language == "ja"
    assert [length for length, _ in speaker.heard] == [32000, 16000]
    assert speaker.prompts == [[61], [61, 41, 63]]
    assert [segment.text for segment in found.segments] == [" w7"]


def test_segments_without_text_are_not_in_the_next_prompt() -> None:
    speaker = Speaker([[TIMES, 0, 0, TIMES + 10, TIMES + 10, 2, TIMES + 30, TIMES + 30], [TIMES, 8]])
    assert [text for _, _, text in transcribed(speaker, 2.5)] == [" w2", " w8"]
    assert speaker.prompts[1] == [65, TIMES + 10, 2, TIMES + 30, 61]


def test_the_end_of_sound_is_in_whole_hundredths() -> None:
    assert transcribed(Speaker([[TIMES, 1]]), 1.2349) == [(0.0, 1.23, " w1")]


def test_a_text_that_is_thought_silence_is_not_tried_again_though_it_repeats_itself() -> None:
    config = {"no_speech_threshold": 0.5, "logprob_threshold": -0.001}
    for no_speech, calls in ((0.9, 1), (0.1, 2)):
        speaker = Speaker([[TIMES, *[7] * 200, TIMES + 100]], no_speech, sure=12.0)
        transcriber = Transcriber(speaker.encoder, speaker.decoder, Words(), TOKENS, lambda sound: -1.0)
        transcriber(np.zeros(2 * RATE, np.int32), TranscriptionConfig(temperatures=(0.0, 0.01), best_of=1, **config))
        assert len(speaker.prompts) == calls


def test_tokens_that_are_no_speech_are_known_without_lists() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    names = ["endoftext", "startoftranscript", "en", "translate", "transcribe", "startoflm", "startofprev", "nospeech"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = {"##": 256, "Ġ#": 257, "âĻ": 258, "âĻª": 259, "ab": 260}  # the last but one is a note
    merges = [("#", "#"), ("Ġ", "#"), ("â", "Ļ"), ("âĻ", "ª"), ("a", "b")]
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)} | merged, merges))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens([f"<|{name}|>" for name in [*names, "notimestamps"]])
    found = speech_tokens(made, 1800, {})
    special = {made.token_to_id(f"<|{name}|>") for name in names if name not in ("endoftext", "en")}
    symbols = {letters.index(letter) for letter in '"#()*+/:;<=>@[\\]^_`{|}~Ġ'}  # Ġ: of " -" and " '"
    assert {*found.suppressed} == special | symbols | {257, 258, 259}
    assert {*found.suppressed_first} == {letters.index("Ġ"), found.end}
    assert not found.languages
    assert speech_tokens(made, 51865, {}).languages == speech_tokens(made, 9, {"is_multilingual": True}).languages
    listed = speech_tokens(made, 51865, {"is_multilingual": False, "suppress_tokens": [], "begin_suppress_tokens": [1]})
    assert {*listed.suppressed} == special and listed.suppressed_first == (1,) and not listed.languages


def test_what_a_model_does_not_have_is_refused() -> None:
    speaker = Speaker([[TIMES, 1]])
    transcriber = Transcriber(speaker.encoder, speaker.decoder, Words(), TOKENS, lambda sound: -1.0)
    samples = np.zeros(RATE, np.int32)
    with pytest.raises(InputError, match="of English alone"):
        transcriber(samples, TranscriptionConfig(language="de"))
    with pytest.raises(InputError, match=r"int32, 16,000 a second, found \[16000\] float32"):
        transcriber(samples.astype(np.float32))
    for size in (0, 1.5):
        with pytest.raises(InputError, match=f"beam_size is {size}; it is at least 1, a whole number"):
            TranscriptionConfig(beam_size=size)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="whisper_encoder"):
        Transcriber(speaker.decoder, speaker.decoder, Words(), TOKENS, lambda sound: -1.0)
