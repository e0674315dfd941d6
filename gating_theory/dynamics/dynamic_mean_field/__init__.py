"""Dynamic mean field: moving states of infinite networks, by the law of one site's path [T8]."""
