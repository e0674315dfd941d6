"""What a unit is: its symbolic definition, and everything that is derived from it alone."""

#: Names of the built-in cells, in the order of the tables; they are defined in builtin.py, which brings sympy.
BUILTIN = ("Vanilla", "GRU", "GRUResetAfter", "MGU", "LiGRU", "LiGRUTanh", "LSTM", "CoupledLSTM", "PeepholeLSTM", "JANET")
