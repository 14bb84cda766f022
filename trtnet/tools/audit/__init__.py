"""`trtnet audit`: in which dtypes an engine computes, beside what was asked."""
