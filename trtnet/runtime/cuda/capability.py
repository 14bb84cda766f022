"""Which GPU is here, without using it."""

from __future__ import annotations

from functools import cache


@cache
def compute_capability_here() -> tuple[str, ...]:
    """The compute capability of the first GPU, ``("9.0",)``; nothing where there is no GPU, or no working driver."""
    try:
        from cuda.bindings import driver

        (status,) = driver.cuInit(0)
        if int(status):
            return ()
        _, device = driver.cuDeviceGet(0)
        names = driver.CUdevice_attribute
        wanted = names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
        answers = [driver.cuDeviceGetAttribute(each, device) for each in wanted]
    except Exception:  # cuda.bindings raises ImportError or RuntimeError where it finds no libcuda
        return ()
    if any(int(status) for status, _ in answers):
        return ()
    return (".".join(str(int(number)) for _, number in answers),)
