"""Text of speech, with the networks of a Whisper."""

from trtnet.generation.speech.configuration import TranscriptionConfig
from trtnet.generation.speech.transcriber import Segment, Transcriber, Transcription

__all__ = ["Segment", "Transcriber", "Transcription", "TranscriptionConfig"]
