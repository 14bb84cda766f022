"""Configurations of models: dataclasses, and the published files that they are read from."""
