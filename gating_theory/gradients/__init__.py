"""How gradients grow through many steps of tied or untied weights, and singular values of products of Jacobians [T9]."""
