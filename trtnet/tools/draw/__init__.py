"""`trtnet draw`: a network or an engine as a picture.

One intermediate (``drawing``) is made from a network (``from_network``), an ONNX file's hierarchy beside it
(``onnx_names``), or an engine (``from_engine``). ``tree`` nests it by module, ``ranks`` says what stands above and
beside what, ``placing`` gives coordinates; ``page`` (HTML), ``svg``, ``png``, ``dot`` and ``netron`` write it.
"""
