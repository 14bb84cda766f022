"""Numbers of a configuration that must be in a range."""

from collections.abc import Mapping

from trtnet.support.errors import InputError


def check_ranges(config: object, ranges: Mapping[str, tuple[bool, str]]) -> None:
    """ranges: by field, whether its value is in its range, and the range in words. Raises InputError for the first."""
    for name, (is_right, words) in ranges.items():
        if not is_right:
            raise InputError(f"{name} is {getattr(config, name)!r}; it is {words}")
