"""Whether engines run on this machine."""

from __future__ import annotations

from helpers.comparing import network_of

import trtnet
from trtnet.support.errors import TrtnetError


def why_no_gpu() -> str:
    """Why engines do not run here; "" if they do."""
    try:
        network_of(lambda x: x + 1, {"x": trtnet.Input((1, 2))}).build().session()
    except TrtnetError as error:
        return str(error).splitlines()[0]
    return ""
