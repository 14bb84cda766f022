"""Memory for outputs whose shape TensorRT knows only once it has seen the data."""

from __future__ import annotations

from collections.abc import Callable

from trtnet.support.backend import trt


class OutputAllocator(trt.IOutputAllocator):  # type: ignore[misc]
    """TensorRT asks it, while it queues an execution, where such an output goes, and tells it the output's shape.

    provide: the address of at least so many bytes of device memory for an output, by name; 0 bytes have one too.
    shapes: those of the latest execution. error: what `provide` raised: an exception cannot pass through TensorRT,
    which is given no memory instead and fails.
    """

    def __init__(self, provide: Callable[[str, int], int]) -> None:
        super().__init__()
        self._provide = provide
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.error: Exception | None = None

    def clear(self) -> None:
        """Forgets the latest execution; the memory is kept."""
        self.shapes.clear()
        self.error = None

    def reallocate_output_async(self, tensor_name: str, memory: int, size: int, alignment: int, stream: int) -> int:
        return self.reallocate_output(tensor_name, memory, size, alignment)

    def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
        try:
            return self._provide(tensor_name, size)
        except Exception as error:
            self.error = error
            return 0

    def notify_shape(self, tensor_name: str, shape: trt.Dims) -> None:
        self.shapes[tensor_name] = tuple(shape)
