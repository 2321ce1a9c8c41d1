"""Generated input without end: files for the reader, requests for a running service."""
