"""Arrays that are fed and saved: inputs, state, files."""
