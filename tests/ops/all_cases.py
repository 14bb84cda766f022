"""Every row of the table of operations."""

from cases import CASES
from cases_of_attention import ATTENTION_CASES
from cases_of_convolutions import CONVOLUTION_CASES
from cases_of_images import IMAGE_CASES
from cases_of_names import NAME_CASES
from cases_of_norms import NORM_CASES
from cases_of_numbers import NUMBER_CASES
from cases_of_places import PLACE_CASES
from cases_of_pools import POOL_CASES
from cases_of_resampling import RESAMPLING_CASES
from cases_of_transformers import TRANSFORMER_CASES

ALL_CASES = [
    *(*CASES, *TRANSFORMER_CASES, *IMAGE_CASES, *NUMBER_CASES, *PLACE_CASES, *NAME_CASES),
    *(*NORM_CASES, *ATTENTION_CASES, *CONVOLUTION_CASES, *RESAMPLING_CASES, *POOL_CASES),
]
