"""One reader a file format, and what tells formats apart."""
