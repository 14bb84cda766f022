"""Every row of the table of operations."""

from ops.cases.attention import ATTENTION_CASES
from ops.cases.case import CASES
from ops.cases.convolutions import CONVOLUTION_CASES
from ops.cases.elementwise import NUMBER_CASES
from ops.cases.images import IMAGE_CASES
from ops.cases.names import NAME_CASES
from ops.cases.normalization import NORM_CASES
from ops.cases.pooling import POOL_CASES
from ops.cases.resampling import RESAMPLING_CASES
from ops.cases.shapes import PLACE_CASES
from ops.cases.transformers import TRANSFORMER_CASES

ALL_CASES = [
    *(*CASES, *TRANSFORMER_CASES, *IMAGE_CASES, *NUMBER_CASES, *PLACE_CASES, *NAME_CASES),
    *(*NORM_CASES, *ATTENTION_CASES, *CONVOLUTION_CASES, *RESAMPLING_CASES, *POOL_CASES),
]
