"""Operations that compute each position of an axis by itself, and positions that are computed alone because of that.

A vision transformer's head reads the class token of the last block, and nothing else of it: of 197 positions, 196 are
computed for nothing. steps: what is noted of operations while a model runs. moved: the same of layers that move
elements. selection: which of them a selection of positions needs, and the layers that compute it alone. selecting: the
selections of a network, once it is known who reads what.
"""
