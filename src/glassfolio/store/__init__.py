"""The domain's SQL. Functions take a connection and never commit; every write bears running twice."""
