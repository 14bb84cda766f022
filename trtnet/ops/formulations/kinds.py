"""What there is to choose from, the neutral form of each kind first."""

FORMS: dict[str, tuple[str, ...]] = {
    "attention": ("fused", "products"),
    "decoding": ("fused", "products", "reduction"),
    "gelu": ("layer", "float32"),
    "patches": ("convolution", "product"),
    "pointwise": ("convolution", "product"),
    "row": ("product", "reduction"),
    "stem": ("convolution", "space_to_depth"),
    "thin": ("convolution", "padded"),
}
"""
attention: IAttention, or two matrix products around a softmax.
decoding: the same for a single query; "reduction" computes the scores as sums of elementwise products.
gelu: in the dtype of its input, or between casts to float32 and back.
patches: a convolution of an image whose windows do not overlap, or the matrix product that it is.
pointwise: a 1x1 convolution of a single pixel, as in squeeze and excitation, or the matrix product that it is.
row: one row times a matrix, or a sum of elementwise products.
stem: a strided convolution of an image of few channels, or the convolution of stride 1 of its blocks of pixels.
thin: a convolution of stride 1 of few channels, or with channels of zeros added.
"""
