"""What of a model is quantized, and what is left in floats.

rules: the table by backend and GPU. products: what the table is asked about. activations: operands of sums,
concatenations and norms. search: what of it a tolerance allows.
"""
