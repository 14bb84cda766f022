"""Whisper from sound to text, as two networks: one for 30 seconds of sound, one for each step of the text.

Weight names are those of transformers' WhisperModel, with one in_proj for queries, keys and values, and one kv_proj for
the keys and values of the sound.
"""

from typing import Any

import numpy as np

import trtnet
from trtnet import nn, ops
from trtnet.models.published import WHISPER, Source
from trtnet.models.whisper import Encoder, WhisperConfig

RATE, WINDOW, HOP = 16000, 400, 160
"""Samples a second, of a spectrum, and from one spectrum to the next."""


def mel_filters(count: int) -> np.ndarray:
    """[count, 201] float32: triangles, equally far apart on the mel scale of Slaney's Auditory Toolbox, of one area."""
    top = 15 + np.log(RATE / 2 / 1000) * 27 / np.log(6.4)
    mels = np.linspace(0, top, count + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    slopes = edges[:, None] - np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    widths = np.diff(edges)[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    areas = 2 / (edges[2:] - edges[:-2])[:, None]
    return (np.maximum(0, np.minimum(rising, falling)) * areas).astype(np.float32)


def loudest(samples: np.ndarray, count: int = 80) -> float:
    """The largest feature of a whole recording, as `WhisperEncoder` takes it: [samples] int32 -> a power of ten."""
    filters, window = mel_filters(count), np.hanning(WINDOW + 1)[:-1]
    sound = np.pad(samples / 32768, (WINDOW // 2, 0), "reflect" if len(samples) > WINDOW else "constant")
    sound = np.pad(sound, (0, WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    parts = (frames[i : i + 3000] for i in range(0, len(frames), 3000))
    powers = (np.abs(np.fft.rfft(part * window)) ** 2 for part in parts)
    return float(np.log10(max(1e-10, *((power @ filters.T).max() for power in powers))))


class LogMel(nn.Module):
    """Sound of 16 kHz, from -32768 to 32767, to features [batch, mels, samples / 160] float32.

    Takes [batch, 200 + samples + 200] int32: spectra reach what is before and after. length: [batch] int32, the samples
    that are sound: the features after them are zero, as in the original. loudest: [batch] floating, the largest feature
    elsewhere in the recording, as a power of ten.
    """

    def __init__(self, count: int) -> None:
        self.filters, self.window = mel_filters(count), np.hanning(WINDOW + 1)[:-1]

    def forward(self, samples: trtnet.Tensor, length: trtnet.Tensor, loudest: trtnet.Tensor) -> trtnet.Tensor:
        spectrum = ops.stft(samples.float() / 32768, WINDOW, HOP, window=self.window, center=False)[:, :, :-1]
        mels = ops.matmul(self.filters, spectrum.square().sum(-1))
        loudness = ops.log10(mels.clamp(min=1e-10))
        most = ops.maximum(loudness.amax((1, 2), keepdim=True), loudest.float()[:, None, None])
        is_sound = ops.arange(mels.shape[2]) < (length // HOP).to("int64")[:, None, None]
        return ops.where(is_sound, (ops.maximum(loudness, most - 8) + 4) / 4, 0.0)


class Sounds(nn.Module):
    """What a layer of the decoder attends to: the encoder's states [batch, length, d_model] as keys and values."""

    def __init__(self, config: WhisperConfig) -> None:
        self.heads = config.decoder_attention_heads
        self.encoder_attn = nn.ModuleDict({"kv_proj": nn.Linear(config.d_model, 2 * config.d_model)})

    def forward(self, states: trtnet.Tensor) -> list[trtnet.Tensor]:
        return [nn.split_heads(x, self.heads) for x in self.encoder_attn["kv_proj"](states).chunk(2, -1)]


class WhisperEncoder(nn.Module):
    """30 seconds of sound to what each layer of the decoder attends to.

    samples: [batch, 480400] int32, from -32768 to 32767, 16,000 a second: 30 seconds, and 200 samples of what is before
    and after them; a recording begins with its reflection, and ends with zeros. length: [batch] int32, how many of the
    30 seconds are sound. loudest: [batch], what :func:`loudest` says of the whole recording; -10 if there is no other.
    Results: sound_key_i, sound_value_i, [batch, heads, 1500, width / heads].
    The features need float32: define(dtype={"": "float16", "features": "float32"}).
    """

    def __init__(self, config: WhisperConfig) -> None:
        samples = 2 * config.max_source_positions * HOP + WINDOW
        self.inputs = {
            "samples": trtnet.Input(("batch", samples), "int32"),
            "length": trtnet.Input(("batch",), "int32"),
            "loudest": trtnet.Input(("batch",), "float32"),
        }
        self.features, self.encoder = LogMel(config.num_mel_bins), Encoder(config)
        self.decoder = nn.ModuleDict({"layers": nn.ModuleList(Sounds(config) for _ in range(config.decoder_layers))})

    def forward(
        self, samples: trtnet.Tensor, length: trtnet.Tensor, loudest: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        states = self.encoder(self.features(samples, length, loudest))
        sounds = [layer(states) for layer in self.decoder["layers"]]
        return {f"sound_{side}_{i}": x for i, pair in enumerate(sounds) for side, x in zip(SIDES, pair, strict=True)}


SIDES = ("key", "value")


class CachedAttention(nn.MultiheadAttention):
    """Attention of the text to what it already has, in a cache."""

    def forward(  # type: ignore[override]
        self, x: trtnet.Tensor, mask: trtnet.Tensor, cache: tuple[trtnet.Tensor, ...], write_indices: trtnet.Tensor
    ) -> tuple[trtnet.Tensor, list[trtnet.Tensor]]:
        assert self.in_proj_weight is not None
        parts = ops.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        query, key, value = (nn.split_heads(part, self.num_heads) for part in parts)
        keys = ops.kv_cache_update(cache[0], key, write_indices)
        values = ops.kv_cache_update(cache[1], value, write_indices)
        y = ops.scaled_dot_product_attention(query, keys, values, mask)
        return self.out_proj(nn.join_heads(y)), [keys, values]


class SoundAttention(nn.Module):
    """Attention of the text to the sound."""

    def __init__(self, config: WhisperConfig) -> None:
        self.heads = config.decoder_attention_heads
        self.q_proj, self.out_proj = (nn.Linear(config.d_model, config.d_model) for _ in range(2))

    def forward(self, x: trtnet.Tensor, sound: tuple[trtnet.Tensor, ...]) -> trtnet.Tensor:
        query = nn.split_heads(self.q_proj(x), self.heads)
        return self.out_proj(nn.join_heads(ops.scaled_dot_product_attention(query, sound[0], sound[1])))


class DecoderLayer(nn.Module):
    """Attention to the text, to the sound, and a perceptron, each after a norm and beside a shortcut."""

    def __init__(self, config: WhisperConfig) -> None:
        width, inner = config.d_model, config.decoder_ffn_dim
        self.self_attn = CachedAttention(width, config.decoder_attention_heads)
        self.encoder_attn = SoundAttention(config)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.self_attn_layer_norm, self.encoder_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(
        self,
        x: trtnet.Tensor,
        mask: trtnet.Tensor,
        write_indices: trtnet.Tensor,
        cache: tuple[trtnet.Tensor, ...],
        sound: tuple[trtnet.Tensor, ...],
    ) -> tuple[trtnet.Tensor, list[trtnet.Tensor]]:
        y, cached = self.self_attn(self.self_attn_layer_norm(x), mask, cache, write_indices)
        x = x + y
        x = x + self.encoder_attn(self.encoder_attn_layer_norm(x), sound)
        return x + self.fc2(ops.gelu(self.fc1(self.final_layer_norm(x)))), cached


class Decoder(nn.Module):
    """The words, their places, and all layers."""

    def __init__(self, config: WhisperConfig) -> None:
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.embed_positions = nn.Embedding(config.max_target_positions, config.d_model)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.layer_norm = nn.LayerNorm(config.d_model)


class WhisperDecoder(nn.Module):
    """A step over the next tokens of the text: those that begin it, or one.

    input_ids: [batch, length] int64. write_indices: [batch] int32, how many tokens each cache holds. places: [batch,
    count] int64, where in `input_ids` logits are wanted. key_i, value_i: [batch, heads, 448, width / heads], the caches
    of the text. sound_key_i, sound_value_i: what WhisperEncoder gives. Results: logits [batch, count, vocab_size]
    float32, and new_key_i, new_value_i, which share the memory of key_i and value_i.
    """

    def __init__(self, config: WhisperConfig) -> None:
        heads, width = config.decoder_attention_heads, config.d_model // config.decoder_attention_heads
        text, sound = (
            trtnet.Input(("batch", heads, length, width))
            for length in (config.max_target_positions, config.max_source_positions)
        )
        names = [f"{side}_{i}" for i in range(config.decoder_layers) for side in SIDES]
        self.inputs = {
            "input_ids": trtnet.Input(("batch", "length"), "int64"),
            "write_indices": trtnet.Input(("batch",), "int32"),
            "places": trtnet.Input(("batch", "count"), "int64"),
            **dict.fromkeys(names, text),
            **{f"sound_{name}": sound for name in names},
        }
        self.capacity, self.decoder = config.max_target_positions, Decoder(config)

    def forward(
        self,
        input_ids: trtnet.Tensor,
        write_indices: trtnet.Tensor,
        places: trtnet.Tensor,
        *held: trtnet.Tensor,
    ) -> dict[str, trtnet.Tensor]:
        positions = write_indices.to("int64").unsqueeze(1) + ops.arange(input_ids.shape[1])
        mask = ops.arange(self.capacity) <= positions[:, None, :, None]
        x = self.decoder.embed_tokens(input_ids) + self.decoder.embed_positions(positions)
        caches, sounds = held[: len(held) // 2], held[len(held) // 2 :]
        updated: dict[str, trtnet.Tensor] = {}
        for i, layer in enumerate(self.decoder.layers):
            pair = slice(2 * i, 2 * i + 2)
            x, cached = layer(x, mask, write_indices, caches[pair], sounds[pair])
            updated |= {f"new_{side}_{i}": each for side, each in zip(SIDES, cached, strict=True)}
        wanted = self.decoder.layer_norm(ops.take_along_dim(x, places.unsqueeze(-1), 1))
        return {"logits": ops.linear(wanted, self.decoder.embed_tokens.weight).float(), **updated}


def whisper_encoder(config: WhisperConfig | Source | None = None, **fields: Any) -> WhisperEncoder:
    """The sound's part of whisper-tiny: 30 seconds to what the text attends to; any Whisper by its config.json."""
    return WhisperEncoder(WHISPER.read(config, WhisperConfig(), fields))


def whisper_decoder(config: WhisperConfig | Source | None = None, **fields: Any) -> WhisperDecoder:
    """The text's part of whisper-tiny: a step; any Whisper by its config.json."""
    return WhisperDecoder(WHISPER.read(config, WhisperConfig(), fields))
