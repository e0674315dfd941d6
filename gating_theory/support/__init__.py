"""What knows nothing of networks: checks of arguments, roots of functions, files, free memory."""
