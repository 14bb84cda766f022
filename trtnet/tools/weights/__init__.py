"""`trtnet weights` and `trtnet convert`."""
