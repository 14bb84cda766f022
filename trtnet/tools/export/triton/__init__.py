"""`trtnet export triton`: an engine, or a model's CPU reference, as a model of a Triton repository.

Triton's tensorrt backend is TensorRT's: a plan of TensorRT-RTX is served by its python backend, which calls trtnet.
"""
