"""The processes that build engines and measure them on GPUs."""
