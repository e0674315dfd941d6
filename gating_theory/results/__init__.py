"""What every result can do: be saved, loaded, and say where it comes from."""
