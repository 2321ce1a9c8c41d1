"""The terminal. Makes no decisions; imports late, so that help is quick."""
