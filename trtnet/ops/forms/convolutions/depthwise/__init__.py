"""Forms of depthwise convolutions."""
