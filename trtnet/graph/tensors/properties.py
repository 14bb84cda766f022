"""What torch's tensors answer about themselves, and what changes nothing in a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Self, TypeVar

from trtnet.graph.memory import strides as layout
from trtnet.graph.memory.storage import StoredTensor, relate
from trtnet.graph.sizes.dim import Dim, Size, numel
from trtnet.graph.symbolic import Symbolic
from trtnet.graph.tensors.devices import Device
from trtnet.support.dtypes import DTypeLike

TensorT = TypeVar("TensorT")
"""The type of tensors."""

_TYPES = {
    "float32": "Float",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "int64": "Long",
    "int32": "Int",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
}


class Questions(StoredTensor, Symbolic, Generic[TensorT]):
    """Of a tensor: its device, its kind, its memory."""

    __slots__ = ()

    device = Device()
    is_cuda = is_leaf = True
    requires_grad = is_sparse = is_quantized = is_nested = is_meta = is_cpu = is_mps = is_xla = is_mkldnn = False
    grad = grad_fn = None

    def dim(self) -> int:
        """torch's spelling of ``ndim``."""
        return len(self.shape)

    def type(self, dtype: DTypeLike | None = None) -> Any:
        """The name of torch's type, "torch.FloatTensor"; with a dtype, the tensor in it."""
        if dtype is not None:
            return self.operations.cast(self, dtype)
        return f"torch.cuda.{_TYPES.get(self.dtype.name, self.dtype.name)}Tensor"

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating

    def is_complex(self) -> bool:
        """TensorRT has no complex tensors."""
        return False

    def is_conj(self) -> bool:
        """TensorRT has no complex tensors."""
        return False

    def is_inference(self) -> bool:
        """Whether it was made in torch.inference_mode."""
        return False

    def get_device(self) -> int:
        """The index of its device."""
        return self.device.index

    def is_signed(self) -> bool:
        return self.dtype.name not in ("bool", "uint8")

    def element_size(self) -> int:
        """Bytes an element. Raises LayerError for a type of 4 bits."""
        if self.dtype.bits < 8 and self.dtype.name != "bool":
            self.network.fail(f"element_size: two elements of {self.dtype} are a byte", {"x": self})
        return max(self.dtype.bits // 8, 1)

    @property
    def itemsize(self) -> int:
        return self.element_size()

    def nelement(self) -> Size:
        return numel(self.shape)

    def is_contiguous(self) -> bool:
        """Raises LayerError where torch's memory layout is not known."""
        known = layout.is_contiguous(self.shape, self.strides)
        return bool(self._laid_out("is_contiguous")) if known is None else known

    def stride(self, dim: int | None = None) -> Any:
        """Elements from one to the next, along each axis or one. Raises LayerError where that is not known."""
        strides = self._laid_out("stride")
        return strides if dim is None else strides[dim]

    def _laid_out(self, question: str) -> tuple[Size, ...]:
        found = layout.text(self.shape, self.strides)
        if found is None:
            text = f"{question}: how torch lays this tensor out in memory is not known here; contiguous() makes it so"
            self.network.fail(text, {"x": self})
        return found

    # memory
    def contiguous(self, *, memory_format: Any = None) -> Self:
        """Itself, or a copy, as torch does. memory_format: not looked at, as in `clone`."""
        known = layout.is_contiguous(self.shape, self.strides)
        if known:
            return self
        copy = self.fresh()
        copy.strides = True
        return copy if known is False else relate(self, copy)

    def clone(self, *, memory_format: Any = None) -> Self:
        """A tensor of its value with memory of its own. No layer: TensorRT's tensors do not change.

        memory_format: not looked at, since TensorRT chooses the formats of its tensors itself.
        """
        return self.fresh()

    def detach(self) -> Self:
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        return self

    def cuda(self, *_: Any, **__: Any) -> Self:
        return self

    def cpu(self, *, memory_format: Any = None) -> Self:
        return self

    @property
    def data(self) -> Self:
        return self

    @property
    def real(self) -> Self:
        return self

    # others of its dtype
    def new_tensor(
        self,
        data: Any,
        dtype: DTypeLike | None = None,
        device: Any = None,
        *,
        layout: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> TensorT:
        """Numbers, or a copy of a tensor, as a tensor of its dtype by default."""
        wanted = self.dtype if dtype is None else dtype
        if isinstance(data, Symbolic):
            return self.operations.cast(data, wanted).clone()
        return self.operations.as_tensor(data, wanted).fresh()

    def new_empty(
        self,
        *size: Size | Sequence[Size],
        dtype: DTypeLike | None = None,
        device: Any = None,
        layout: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> TensorT:
        """Zeros: TensorRT leaves no memory as it is."""
        return self.operations.zeros(
            size[0] if len(size) == 1 and not isinstance(size[0], int | Dim) else size, dtype or self.dtype
        )
