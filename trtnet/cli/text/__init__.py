"""The commands whose result is text: of a language model, of speech."""
