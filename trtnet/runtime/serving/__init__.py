"""Many calls: pipelines, batches, replicas."""
