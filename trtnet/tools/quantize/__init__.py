"""`trtnet quantize`: calibration on the reference, and a checkpoint in the compressed-tensors format.

data: what is fed. ranges: from histograms to scales. observing: the inputs of products. writing: the checkpoint.
quantize: all of it together.
"""
