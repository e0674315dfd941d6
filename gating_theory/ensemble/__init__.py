"""What is random: gains, biases, matrices, and populations of sites."""
