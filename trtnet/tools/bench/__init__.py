"""`trtnet bench`: what trtexec reports of an engine, and what it lacks: the floor, other tools' times, plots."""
