"""Text from a decoder: its step as a network, and the loop around it."""

from trtnet.generation.configuration import GenerationConfig
from trtnet.generation.generator import Generator
from trtnet.generation.sequences import Completion
from trtnet.generation.step import SINGLE, Step, profiles

__all__ = ["SINGLE", "Completion", "GenerationConfig", "Generator", "Step", "profiles"]
