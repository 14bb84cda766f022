"""What there is to choose in a network: groups of operations, and the small networks that are cut out for them."""
