"""One record's whole life, told on a chain of your own: what `xinglin demo` shows."""
