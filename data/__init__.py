"""Scripts that make the data files shipped inside the package."""
