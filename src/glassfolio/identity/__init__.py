"""Who somebody is: tokens made and verified. Knows nothing of portfolios."""
