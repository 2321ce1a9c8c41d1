"""The words of the domain: frozen values without any I/O."""
