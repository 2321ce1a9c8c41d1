"""The four phases, one module each."""
