"""Bridges to other tools: a script for polygraphy, a model repository for Triton."""
