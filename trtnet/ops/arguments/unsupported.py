"""torch's functions that a network cannot call, and why: what to use instead."""

from __future__ import annotations

import re

_LOSS = "a loss belongs to training; if a network must give it, write it with trtnet.ops"
_RANDOM = "it is random at every call; give the random numbers as an input, or use ops.rand and ops.randn"
_COMPLEX = "TensorRT has no complex numbers; keep real and imaginary part in a last axis of 2, as ops.stft gives them"
_LINALG = "TensorRT has no such decompositions; compute it outside, or with ops.custom"
_SPECIAL = "TensorRT has no layer for this function; write it with a series of ops, or with ops.custom"
_SIZE = "the size of its result depends on values; use ops.nonzero, or a mask with ops.where"
_BITS = "TensorRT computes no bits of numbers; compute it outside, or with ops.custom"
_ORDER = "write it with ops.sort, ops.topk and ops.gather"
_PLACES = "write it with ops.reshape, ops.cat, ops.stack, ops.pad, ops.flip or ops.diagonal"
_WRITES = "write it with ops.scatter, ops.where or ops.cat"
_CREATED = "it takes no tensor: compute it with numpy or torch, whose arrays are constants of a network"
_SPREAD = "write it with ops.mean, ops.var, ops.std and ops.matmul"
_QUESTION = "it asks for values, which are unknown while a network is defined; decide by shapes, or use ops.where"
_MACHINERY = "torch's own machinery, and no operation of a network"
_RECURRENT = "use the layers of trtnet.nn: nn.LSTM, nn.GRU, nn.RNN and their cells"
_QUANTIZED = "use ops.quantize, ops.dequantize and ops.fake_quantize"
_SPARSE = "TensorRT has no sparse tensors; use dense ones"

_NAMES: dict[str, str] = {
    _LOSS: (
        "binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss"
        " gaussian_nll_loss hinge_embedding_loss huber_loss kl_div l1_loss linear_cross_entropy margin_ranking_loss"
        " mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nll_loss poisson_nll_loss"
        " smooth_l1_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss"
    ),
    _RANDOM: (
        "alpha_dropout feature_alpha_dropout feature_dropout bernoulli binomial multinomial normal poisson rand_like"
        " randn_like randint randint_like randperm gumbel_softmax fractional_max_pool2d fractional_max_pool3d"
        " fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices native_dropout dropout1d dropout2d"
        " dropout3d"
    ),
    _COMPLEX: (
        "angle complex conj conj_physical imag real polar view_as_complex view_as_real resolve_conj resolve_neg is_conj"
        " is_complex isreal is_neg istft adjoint"
    ),
    _LINALG: (
        "cholesky_inverse cholesky_solve geqrf lobpcg lu_solve lu_unpack matrix_exp orgqr ormqr pinverse qr svd"
        " triangular_solve nuclear_norm frobenius_norm renorm norm_except_dim vander"
    ),
    _SPECIAL: ("digamma erfinv i0 igamma igammac lgamma mvlgamma polygamma float_power logaddexp2 signbit"),
    _SIZE: (
        "argwhere bincount histc histogram histogramdd masked_select nonzero_static unique_consecutive segment_reduce"
    ),
    _BITS: "frexp gcd lcm nextafter hash_tensor unravel_index",
    _ORDER: ("kthvalue median mode msort nanmedian searchsorted bucketize"),
    _PLACES: (
        "atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors cartesian_prod column_stack combinations diag"
        " diag_embed diagflat dsplit dstack fliplr flipud hsplit vsplit rot90 t constant_pad_nd narrow_copy"
        " split_with_sizes unsafe_chunk unsafe_split unsafe_split_with_sizes as_strided clone detach"
        " as_strided_scatter native_channel_shuffle"
    ),
    _WRITES: (
        "diagonal_scatter select_scatter slice_scatter index_copy index_fill index_put put take"
        " take_along_dim fill slice_inverse"
    ),
    _CREATED: (
        "asarray bartlett_window blackman_window hamming_window hann_window kaiser_window logspace range scalar_tensor"
        " tril_indices triu_indices empty_permuted empty_strided empty_quantized from_file from_numpy frombuffer"
        " to_dlpack"
    ),
    _SPREAD: "corrcoef cov pdist gradient",
    "write it with comparisons that broadcast: (x.unsqueeze(-1) == values).any(-1)": "isin",
    _QUESTION: (
        "allclose equal is_nonzero is_same_size is_signed is_floating_point is_distributed is_inference get_device"
        " can_cast promote_types result_type"
    ),
    _RECURRENT: "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
    "use nn.MultiheadAttention or ops.scaled_dot_product_attention": "multi_head_attention_forward",
    "use ops.interpolate": "upsample upsample_bilinear upsample_nearest",
    "use ops.affine_grid and ops.grid_sample": "affine_grid_generator grid_sampler grid_sampler_2d grid_sampler_3d",
    "use ops.conv1d, ops.conv2d or ops.conv3d, or their transposed ones": "convolution conv_tbc",
    "use ops.max_pool or ops.adaptive_max_pool with return_indices": (
        "adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices"
        " max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices"
    ),
    "use ops.matmul": "grouped_mm scaled_grouped_mm scaled_mm",
    "use the function without native_": "native_batch_norm native_group_norm native_layer_norm native_norm",
    _SPARSE: "dsmm hsmm hspmm saddmm smm spmm sspaddmm",
    _QUANTIZED: (
        "choose_qparams_optimized fused_moving_avg_obs_fake_quant int_repr fake_quantize_per_channel_affine"
        " fake_quantize_per_tensor_affine"
    ),
}
ABSENT: dict[str, str] = {name: reason for reason, names in _NAMES.items() for name in names.split()}
"""The reason for each name."""

_PATTERNS: dict[str, str] = {
    r".*::.*": "it is an operator of an extension, which TensorRT does not know: write it with torch's functions",
    r".*_copy": "use the function without _copy",
    r"sparse_.*|resize_as_sparse_": _SPARSE,
    r"quantize_per_.*|quantized_.*|q_.*|fbgemm_.*": _QUANTIZED,
    r"cudnn_.*|miopen_.*|mkldnn_.*|batch_norm_.*|sym_.*|autocast.*|clear_autocast_cache": _MACHINERY,
    r"set_.*|get_.*|is_.*": _MACHINERY,
    r"has_torch_function.*|handle_torch_function|boolean_dispatch|assert_int_or_pair|Optional|fork|wait": _MACHINERY,
    r"import_ir_.*|parse_.*|merge_type_.*|unify_type_list|init_num_threads|embedding_renorm_": _MACHINERY,
    r"__(int|float|index|complex)__": "its value is known only when the engine runs; compute with it as a tensor",
    r"__contains__": _QUESTION,
    r"numpy|__array__": "it has no values while a network is being defined; compute with functions of tensors",
    r"linalg_.*": _LINALG,
    r"special_entr": "write it with ops.where: where(x == 0, 0, -x * log(x)) for x of 0 or more",
    r"special_.*": _SPECIAL,
    r"fft_.*": "TensorRT has no complex numbers; ops.stft gives real and imaginary part in a last axis of 2",
    r"ps_roi_align|(ps_)?roi_pool": "TensorRT has no such layer; use roi_align",
    r"box_iou_rotated": "it is not written for rotated boxes",
    r"qnms|qroi_align": "use the function of floats",
    r"_pack_padded_sequence|_pad_packed_sequence": "lengths are values; give the padded tensor and a mask",
    r".*\.__set__": "it would replace the tensor's memory; compute a new tensor, or write by copy_",
    r".*[^_]_": "trtnet does not have the function of which it is the in-place form",
}


def reason(name: str) -> str:
    """Why a function of torch is not here; "" if it is none that is known."""
    found = (why for pattern, why in _PATTERNS.items() if re.fullmatch(pattern, name))
    return ABSENT.get(name) or next(found, "")
