"""PyTorch modules that no network can be defined from, said before anything is."""

from __future__ import annotations

import torch
from torch.nn.parameter import is_lazy

from trtnet.support.errors import ModelError
from trtnet.support.source import here

_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def check(module: torch.nn.Module) -> None:
    """Raises ModelError for a module in training mode, and for one whose code or weights are not there to be read."""
    name = type(module).__name__
    if any(kind.__name__ == "_StatefulGraphModule" for kind in type(module).__mro__):
        text = f"{name} is what torch.export made, a graph of torch's operators: give the module that was exported"
        raise ModelError(here(text))
    if module.training:
        raise ModelError(here(f"{name} is in training mode, and a network is for inference: call its eval() first"))
    if getattr(module.forward, "__func__", None) is torch.nn.Module.forward:
        raise ModelError(here(f"{name} has no forward(): give a module that has one"))
    for path, each in module.named_modules():
        where = f"{path} ({type(each).__name__})" if path else name
        if isinstance(each, torch.jit.ScriptModule):
            text = f"{where} is a TorchScript module, which has no Python code: give the module of which it was made"
            raise ModelError(here(text))
        if type(each).__module__.startswith(_QUANTIZED):
            text = f"{where} is a quantized module of torch's, which has weights in integers: give the float module"
            raise ModelError(here(f"{text}, and quantize it by trtnet.quantize"))
        observing = getattr(each, "observer_enabled", None)
        if isinstance(observing, torch.Tensor) and not observing.is_meta and observing.any():
            text = f"{where} observes ranges at each call, in eval mode too, and an engine has fixed ones"
            raise ModelError(here(f"{text}: call {name}.apply(torch.ao.quantization.disable_observer)"))
        if each.training:
            raise ModelError(here(f"{path} is in training mode: call {name}.eval()"))
        for key, tensor in (*each.named_parameters(recurse=False), *each.named_buffers(recurse=False)):
            _check_tensor(f"{path}.{key}" if path else key, tensor)


def _check_tensor(key: str, tensor: torch.Tensor) -> None:
    if is_lazy(tensor):
        raise ModelError(here(f"{key} has no shape yet: call the module once, as torch's lazy modules need"))
    if tensor.layout != torch.strided:
        text = f"{key} is a sparse tensor ({str(tensor.layout).removeprefix('torch.')}): make it dense, to_dense()"
        raise ModelError(here(text))
    if tensor.is_quantized:
        raise ModelError(here(f"{key} is a quantized tensor: give the float module"))
