"""What tensors are in memory: torch's storages, views and strides; weights, and layers that wait for them."""
