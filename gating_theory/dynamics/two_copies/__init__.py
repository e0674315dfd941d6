"""Several copies of one network under different inputs: correlations, echo states, kernels of infinitely wide networks [T8b]."""
