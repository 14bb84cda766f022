"""A PyTorch module as a model definition: its own ``forward``, called with symbolic tensors.

model: the module as define takes it, and each module in it. refusals: those that no network can be of. calling: how
they are called; exchanged: what is exchanged in torch for that, and in other libraries; tracing: what answers torch's
functions meanwhile; complex_numbers: those of complex tensors; selected: those of what masks choose and of packed
sequences; mixed_dtypes: products of several dtypes. symbolic: the tensors that they are called with; repeated: what is
known of those that are the same for every sample; writes: what they write to. weights: parameters and buffers, by
identity. exceptions: the table of torch's functions that are not the function of their name in ``trtnet.ops``, with
reasons.
"""

from trtnet.definition.torch_module.model import TorchModel, TorchModule, TorchPart

__all__ = ["TorchModel", "TorchModule", "TorchPart"]
