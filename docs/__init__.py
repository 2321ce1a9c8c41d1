"""The pages about glassfolio, and the few parts of them that are generated from the code."""
