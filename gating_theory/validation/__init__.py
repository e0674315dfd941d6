"""Theory against sampled networks."""
