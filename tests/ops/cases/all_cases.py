"""Every row of the table of operations."""

from ops.cases.attention import ATTENTION_CASES
from ops.cases.convolutions import CONVOLUTION_CASES
from ops.cases.creation import CREATION_CASES
from ops.cases.elementwise import ELEMENTWISE_CASES
from ops.cases.images import IMAGE_CASES
from ops.cases.indexing import INDEX_CASES
from ops.cases.normalization import NORM_CASES
from ops.cases.pooling import POOL_CASES
from ops.cases.products import PRODUCT_CASES
from ops.cases.reductions import REDUCTION_CASES
from ops.cases.resampling import RESAMPLING_CASES
from ops.cases.shapes import SHAPE_CASES
from ops.cases.transformers import TRANSFORMER_CASES

ALL_CASES = [
    *ATTENTION_CASES,
    *CONVOLUTION_CASES,
    *CREATION_CASES,
    *ELEMENTWISE_CASES,
    *IMAGE_CASES,
    *INDEX_CASES,
    *NORM_CASES,
    *POOL_CASES,
    *PRODUCT_CASES,
    *REDUCTION_CASES,
    *RESAMPLING_CASES,
    *SHAPE_CASES,
    *TRANSFORMER_CASES,
]
