"""How far arrays are from each other, and what passes."""
