"""`trtnet tune`: the search for the fastest forms of a model's operations on a GPU.

searching: what is compared and decided, without a GPU. choices: what there is to choose in a network. processes: what
builds and measures. tune: all of it together. report: what is shown.
"""
