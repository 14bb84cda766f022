"""A PyTorch module as a model definition: its own ``forward``, called with symbolic tensors.

model: the module as define takes it. tracing: what answers torch's functions while it is being called. symbolic: the
tensors it is called with. weights: its parameters and buffers, by identity. functions: the table of torch's functions
that are not the function of their name in ``trtnet.ops``, with reasons. outputs: what it returned, by name.
"""

from trtnet.definition.torch_module.model import TorchModel, adopted

__all__ = ["TorchModel", "adopted"]
