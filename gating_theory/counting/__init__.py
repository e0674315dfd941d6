"""How many fixed points, in theory [T7]."""
