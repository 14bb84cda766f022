"""`trtnet inspect` and `trtnet diff`."""
