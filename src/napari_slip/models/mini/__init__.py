"""The small models that are shipped: `mini` needs no network and no GPU."""
