"""HTTP. Makes no decisions: it reads requests, asks the layers below, and writes answers."""
