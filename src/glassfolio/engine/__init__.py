"""Durable execution over DBOS. Has never heard of a portfolio."""
