"""`trtnet doctor`."""
