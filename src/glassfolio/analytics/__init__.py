"""The arithmetic: arrays in, arrays out, and nothing else. Sessions run along axis 0."""
