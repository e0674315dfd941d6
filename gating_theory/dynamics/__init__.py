"""Time-dependent states of large random networks [T5]."""
