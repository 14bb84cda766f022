"""Numbers of a configuration that must be in a range."""

from collections.abc import Mapping
from numbers import Integral

from trtnet.support.errors import InputError


def check_ranges(config: object, ranges: Mapping[str, tuple[bool, str]], **least: int) -> None:
    """Raises InputError for the first field whose value is not in its range.

    ranges: by field, whether its value is in its range, and the range in words. least: of fields that are whole
    numbers.
    """
    for name, (is_right, words) in ranges.items():
        if not is_right:
            raise InputError(f"{name} is {getattr(config, name)!r}; it is {words}")
    for name, number in least.items():
        value = getattr(config, name)
        if not isinstance(value, Integral) or int(value) < number:
            raise InputError(f"{name} is {value!r}; it is at least {number}, a whole number")
