"""The work: one declared pipeline of phases, planned from what is missing, committed chunk by chunk."""
