"""What each layer computes, in torch."""
