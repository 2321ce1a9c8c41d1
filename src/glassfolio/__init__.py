"""glassfolio: durable, honest onboarding of an investment portfolio."""

__version__ = "0.1.0"
