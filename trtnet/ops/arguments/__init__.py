"""What operations are given: promotion, broadcasting, sizes, names, and errors for what they do not take."""
