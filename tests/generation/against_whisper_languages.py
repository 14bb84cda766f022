"""Multilingual Whispers of random weights: openai-whisper's transcribe and ours, segment by segment.

    python tests/generation/against_whisper_languages.py [--seeds 2]

It needs the package openai-whisper, and what it imports: numba, tiktoken, regex, more_itertools, tqdm. There are models
of 99 languages and 80 mel bins, and of 100 and 128, as large-v3. Their tokens are the published ones; sound is noise.
Exit code 1 if a language, a time, or a token of a segment differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import whisper as original_library
from helpers import originals
from helpers.openai_whispers import openai_whisper
from whisper.decoding import DecodingOptions, DecodingTask

from trtnet.generation.speech import TranscriptionConfig
from trtnet.tools.speech.transcribe import load_transcriber
from trtnet.weights import rules

WIDTH, LAYERS, HEADS = 32, 2, 2
KINDS = ((99, 80), (100, 128))
"""Languages and mel bins."""
CASES: tuple[tuple[float, dict[str, Any]], ...] = (
    (7.123, {}),
    (41.5, {}),
    (75.009, {"language": "de"}),
    (12, {"task": "translate"}),
    (33, {"timestamps": False}),
    (40, {"beam_size": 3}),
    (61, {"language": "ja", "condition_on_previous_text": False}),
    (40, {"no_speech_threshold": 1e-9, "logprob_threshold": -1e9, "compression_ratio_threshold": 0.1}),
)
"""Seconds of sound, and options."""


def model(folder: Path, languages: int, mels: int, seed: int) -> Any:
    """openai-whisper's model; a folder of Hugging Face's with its weights and its tokens."""
    import transformers

    vocabulary = 51865 + languages - 99
    sides = {f"{side}_{name}": n for side in ("encoder", "decoder")
             for name, n in (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", 4 * WIDTH))}  # fmt: skip
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 50257)
    config = transformers.WhisperConfig(vocab_size=vocabulary, num_mel_bins=mels, d_model=WIDTH, **sides, **ids)
    made = transformers.WhisperForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.normal_(parameter.ndim == 1 and name.endswith("weight"), 0.2, generator=generator)
        made.model.decoder.embed_positions.weight *= 6  # not the same token each time
        made.model.decoder.layer_norm.weight *= 4  # without a doubt
        made.model.decoder.embed_tokens.weight[50257] *= 1.3  # texts end
    made.save_pretrained(folder)
    sizes = mels, 1500, WIDTH, HEADS, LAYERS, vocabulary, 448, WIDTH, HEADS, LAYERS
    theirs = openai_whisper(rules("whisper_text").apply(made), sizes)
    tokenizer = original_library.tokenizer.get_tokenizer(True, num_languages=languages)
    write_tokenizer(folder / "tokenizer.json", tokenizer)
    suppressed = DecodingTask(theirs, DecodingOptions())._get_suppress_tokens()
    lists = {"suppress_tokens": suppressed, "begin_suppress_tokens": [220, 50257]}
    if seed % 2:  # ours makes the lists of the others
        (folder / "generation_config.json").write_text(json.dumps(lists))
    else:
        (folder / "generation_config.json").unlink()
    return theirs


def write_tokenizer(path: Path, original: Any) -> None:
    """openai-whisper's pairs of bytes as a tokenizer.json."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    ranks, names = original.encoding._mergeable_ranks, bytes_to_unicode()

    def text(token: bytes) -> str:
        return "".join(names[byte] for byte in token)

    def halves(token: bytes) -> tuple[bytes, bytes]:
        """What a token was last joined of: the pairs of lower ranks first."""
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            joined = [ranks.get(a + b, len(ranks)) for a, b in itertools.pairwise(parts)]
            i = joined.index(min(joined))
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts[0], parts[1]

    merges = [tuple(map(text, halves(token))) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1]
    made = Tokenizer(models.BPE({text(token): rank for token, rank in ranks.items()}, merges))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = sorted(original.special_tokens, key=original.special_tokens.__getitem__)
    made.add_special_tokens([name for name in special if "." not in name])
    made.add_tokens([AddedToken(name, normalized=False) for name in special if "." in name])
    assert all(made.token_to_id(name) == number for name, number in original.special_tokens.items())
    made.save(str(path))


def sound(seed: int, seconds: float) -> np.ndarray:
    """Noise that is loud and quiet in turn."""
    rng, count = np.random.default_rng(seed), int(seconds * 16000)
    return (rng.normal(0, 3000, count) * (1 + np.sin(np.arange(count) / 9000))).clip(-32768, 32767).astype(np.int32)


def is_equal(theirs: Any, ours: Any, samples: np.ndarray, options: dict[str, Any]) -> bool:
    given = {"temperature": 0.0, "no_speech_threshold": 2.0, **options}
    given |= {"without_timestamps": not given.pop("timestamps", True)}
    wanted = original_library.transcribe(theirs, samples.astype(np.float32) / 32768, fp16=False, **given)
    config = TranscriptionConfig(**{"temperatures": (0.0,), "no_speech_threshold": 2.0, **options})
    found = ours(samples, config)
    theirs_ = [(f"{s['start']:.2f} {s['end']:.2f}", s["tokens"]) for s in wanted["segments"] if s["text"].strip()]
    ours_ = [(f"{s.start:.2f} {s.end:.2f}", s.tokens) for s in found.segments]
    same = (theirs_, wanted["language"]) == (ours_, found.language)
    count = sum(len(tokens) for _, tokens in theirs_)
    print(f"  {len(samples) / 16000:.3f} s {options}: {wanted['language']} {found.language}, {len(theirs_)} segments,"
          f" {count} tokens{'' if same else ' DIFFERENT'}", flush=True)  # fmt: skip
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    originals.import_torchvision()
    same: list[bool] = []
    for (languages, mels), seed in itertools.product(KINDS, range(arguments.seeds)):
        print(f"{languages} languages, {mels} mel bins, seed {seed}")
        with tempfile.TemporaryDirectory() as folder:
            theirs = model(Path(folder), languages, mels, seed)
            ours = load_transcriber(folder)
        for number, (seconds, options) in enumerate(CASES):
            same.append(is_equal(theirs, ours, sound(10 * seed + number, seconds), options))
    print(f"{sum(same)} of {len(same)} equal")
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
