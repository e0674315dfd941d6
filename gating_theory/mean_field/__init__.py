"""Fixed points of random networks in the limit of many units, and where they are born [T5]."""
