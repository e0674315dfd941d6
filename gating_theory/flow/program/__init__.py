"""The equations of a flow as a program: compiled, in intervals, in Taylor series."""
