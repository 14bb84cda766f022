"""What everything else stands on: the backend, dtypes, errors, files, and small helpers."""
