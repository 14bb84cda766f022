"""Complex numbers of a PyTorch module, of which TensorRT has none: two tensors of the network, real and imaginary part.

numbers: such pairs and arithmetic with them. arranging: functions that treat both parts alike. fourier: what makes them
of signals and back. functions: the table of torch's functions, by name. answering: what answers a call of one.
"""

from trtnet.definition.torch_module.complex_numbers.answering import ComplexNumbers, is_complex

__all__ = ["ComplexNumbers", "is_complex"]
