"""Reproducible figures: `make bench` prints them, each beside a peer measured in the same run."""
