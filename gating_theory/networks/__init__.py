"""Networks with matrices: sampled, planted, trained [T1, T2]."""
