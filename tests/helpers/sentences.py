"""Pairs of sentences that mean the same, one after the other."""

from __future__ import annotations

SENTENCES = (
    "A man is playing a guitar on stage.", "Someone plays an instrument in front of an audience.",
    "The stock market fell sharply today.", "Shares dropped after the central bank raised rates.",
    "A cat sleeps on the warm windowsill.", "The kitten is napping in the sunlight.",
    "How do I bake bread at home?", "What is the recipe for a simple loaf?",
    "The spacecraft entered orbit around Mars.", "NASA's probe has reached the red planet.",
    "Doctors recommend regular exercise.", "Physical activity is good for your health.",
)  # fmt: skip
