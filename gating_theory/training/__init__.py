"""For people who train networks: initialisations and diagnoses."""
