"""Models of published libraries by name: ``torchvision:resnet50``, ``timm:convnext_tiny``, ``transformers:FOLDER``."""

from __future__ import annotations

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trtnet.graph import Input
from trtnet.support.errors import ModelError
from trtnet.support.text.did_you_mean import nearest
from trtnet.tools.targets.importing import imported

log = logging.getLogger("trtnet.tools")

Arguments = Mapping[str, Any]


class Published(ABC):
    """A model of a library: called with arguments of the library's factory, it makes the torch module.

    Nothing is downloaded unless the arguments ask for it, and then that is logged.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.__name__ = f"{type(self).__name__.lower()}:{name}"

    @abstractmethod
    def __call__(self, **arguments: Any) -> Any:
        """The torch module."""

    @abstractmethod
    def is_random(self, arguments: Arguments) -> bool:
        """Whether a module that is made with these arguments has random weights."""

    @abstractmethod
    def inputs(self, module: Any, arguments: Arguments) -> dict[str, Input]:
        """What the module takes, as the library says it; {} where it does not."""


class Torchvision(Published):
    """A model of torchvision's. Raises DependencyError without it, ModelError for a name that it does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._models = imported("torchvision.models", "torchvision")
        try:
            self._builder = self._models.get_model_builder(name)
        except ValueError as error:
            raise ModelError(f"torchvision has no {name!r}; {nearest(name, self._models.list_models())}") from error
        self._weights = [key for key in ("weights", "weights_backbone") if key in _parameters(self._builder)]

    def __call__(self, **arguments: Any) -> Any:
        given = dict.fromkeys(self._weights) | arguments  # some load a backbone by default
        for key in self._weights:
            if given[key] is not None:
                log.warning("%s downloads %s=%s, unless that was done before", self.__name__, key, given[key])
        return self._builder(**given)

    def is_random(self, arguments: Arguments) -> bool:
        return arguments.get("weights") is None

    def inputs(self, module: Any, arguments: Arguments) -> dict[str, Input]:
        size = arguments.get("image_size")
        shape = self._published_size() if size is None else (size, size)
        return _image(module, (3, *shape)) if shape else {}

    def _published_size(self) -> tuple[int, ...]:
        """The size of images that the published weights are for: height and width, of videos frames before them."""
        weights = self._models.get_model_weights(self.name).DEFAULT
        preset = weights.transforms()
        size = getattr(preset, "crop_size", None) or getattr(preset, "resize_size", None)
        if not size:
            return ()  # detection takes lists, optical flow two images
        height, width = size if len(size) == 2 else (*size, *size)
        if type(preset).__name__ == "VideoClassification":
            return max(16, weights.meta.get("min_temporal_size", 1)), height, width
        return height, width


class Timm(Published):
    """A model of timm's. Raises DependencyError without it, ModelError for a name that it does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._timm = imported("timm", "timm")
        if not self._timm.is_model(name):
            raise ModelError(f"timm has no {name!r}; {nearest(name, self._timm.list_models())}")

    def __call__(self, **arguments: Any) -> Any:
        if arguments.get("pretrained"):
            log.warning("%s downloads its published weights, unless that was done before", self.__name__)
        return self._timm.create_model(self.name, **arguments)

    def is_random(self, arguments: Arguments) -> bool:
        return not arguments.get("pretrained") and not arguments.get("checkpoint_path")

    def inputs(self, module: Any, arguments: Arguments) -> dict[str, Input]:
        channels, height, width = module.pretrained_cfg["input_size"]
        size = arguments.get("img_size")
        height, width = (height, width) if size is None else (size, size) if isinstance(size, int) else size
        return _image(module, (arguments.get("in_chans", channels), height, width))


class Transformers(Published):
    """The model of a folder: config.json, and its weights, in whatever files transformers reads.

    Arguments are those of ``from_pretrained``, among them fields of the configuration; `architecture` is another class
    than that of the configuration. Raises DependencyError without transformers, ModelError for another folder.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._transformers = imported("transformers", "transformers")
        if not (Path(name) / "config.json").is_file():
            raise ModelError(
                f"transformers:{name}: there is no {Path(name) / 'config.json'}. Name a folder of a downloaded model;"
                f" trtnet does not download it: use hf download {name} --local-dir FOLDER"
            )

    def __call__(self, architecture: str | None = None, **arguments: Any) -> Any:
        config = self._transformers.AutoConfig.from_pretrained(self.name, local_files_only=True)
        name = architecture or next(iter(config.architectures or ()), None)
        kind = getattr(self._transformers, name, None) if name else self._transformers.AutoModel
        if kind is None:
            raise ModelError(f"transformers has no {name!r}; {nearest(str(name), dir(self._transformers))}")
        if hasattr(config, "use_cache"):
            config.use_cache = False  # a cache is not a result of a network
        given = {"attn_implementation": "eager"} | arguments  # the others decide by values of masks
        if not self.is_random(arguments):
            return kind.from_pretrained(self.name, config=config, local_files_only=True, **given)
        make = kind.from_config if name is None else kind._from_config
        return make(config, **given)

    def is_random(self, arguments: Arguments) -> bool:
        return not any([*Path(self.name).glob("*.safetensors"), *Path(self.name).glob("pytorch_model*.bin")])

    def inputs(self, module: Any, arguments: Arguments) -> dict[str, Input]:
        name, config = module.main_input_name, module.config
        if name == "input_ids":  # without a mask decoders look whether sequences are packed, which only values say
            takes = _parameters(module.forward)
            names = [each for each in (name, "attention_mask") if each in takes]
            return {each: Input(("batch", "sequence"), "int64") for each in names}
        size = getattr(config, "image_size", None)
        if name != "pixel_values" or size is None:
            return {}
        height, width = (size, size) if isinstance(size, int) else size
        return {name: Input(("batch", getattr(config, "num_channels", 3), height, width))}


LIBRARIES: dict[str, Callable[[str], Published]] = {
    "torchvision": Torchvision,
    "timm": Timm,
    "transformers": Transformers,
}


def is_published(name: str) -> bool:
    """Whether a target names a model of a library."""
    library, colon, _ = name.partition(":")
    return bool(colon) and library in LIBRARIES


def published(name: str) -> Published:
    """The model behind ``library:name``. Raises DependencyError and ModelError as its library's class does."""
    library, _, model = name.partition(":")
    return LIBRARIES[library](model)


def _image(module: Any, shape: tuple[int, ...]) -> dict[str, Input]:
    return {_parameters(module.forward)[0]: Input(("batch", *shape))}


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)
