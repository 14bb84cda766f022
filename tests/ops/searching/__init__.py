"""The differential test that searches: programs of one operation, made at random, by torch and by trtnet.

case: what a case is, as data. drawing: how cases are drawn. table, families: what there is to draw. running: a case by
torch and by trtnet. judging: whether results are equal. outcomes: what came of it. hunting: hypothesis in a loop.
reproducer: a finding as a program. engines: the same through engines on a GPU.
"""
