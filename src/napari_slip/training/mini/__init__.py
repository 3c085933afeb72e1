"""How the shipped models were trained, from data to weights."""
