"""Is the node there, is it ready, what is it, how far has it come; and metrics."""
