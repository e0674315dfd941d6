"""Fixed points with proof: interval arithmetic."""
