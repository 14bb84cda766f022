"""`trtnet batch`: a model over all rows of a folder, shard by shard, to Parquet; a job that is stopped can go on."""
