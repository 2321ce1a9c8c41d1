"""The honest status: pure functions from committed rows to what an owner sees."""
