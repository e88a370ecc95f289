"""For tests: the conformance suite of layers, and the communicators."""
