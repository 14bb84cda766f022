"""ONNX's operators for the layers of one kind that do several things, by the value of the attribute that says which."""

from __future__ import annotations

ACTIVATIONS = {
    "CLIP": "Clip", "ELU": "Elu", "GELU_ERF": "Gelu", "GELU_TANH": "Gelu", "HARD_SIGMOID": "HardSigmoid",
    "LEAKY_RELU": "LeakyRelu", "RELU": "Relu", "SELU": "Selu", "SIGMOID": "Sigmoid", "SOFTPLUS": "Softplus",
    "SOFTSIGN": "Softsign", "TANH": "Tanh", "THRESHOLDED_RELU": "ThresholdedRelu",
}  # fmt: skip
"""By ``ActivationType``."""

ELEMENTWISE = {
    "AND": "And", "DIV": "Div", "EQUAL": "Equal", "GREATER": "Greater", "LESS": "Less", "MAX": "Max", "MIN": "Min",
    "OR": "Or", "POW": "Pow", "PROD": "Mul", "SUB": "Sub", "SUM": "Add", "XOR": "Xor",
}  # fmt: skip
"""By ``ElementWiseOperation``."""

POOLING = {"AVERAGE": "AveragePool", "MAX": "MaxPool"}
"""By ``PoolingType``."""

REDUCTIONS = {"AVG": "ReduceMean", "MAX": "ReduceMax", "MIN": "ReduceMin", "PROD": "ReduceProd", "SUM": "ReduceSum"}
"""By ``ReduceOperation``."""

UNARY = {
    "ABS": "Abs", "CEIL": "Ceil", "COS": "Cos", "ERF": "Erf", "EXP": "Exp", "FLOOR": "Floor", "LOG": "Log",
    "NEG": "Neg", "NOT": "Not", "RECIP": "Reciprocal", "ROUND": "Round", "SIGN": "Sign", "SIN": "Sin",
    "SQRT": "Sqrt", "TAN": "Tan",
}  # fmt: skip
"""By ``UnaryOperation``."""
