"""Every metric, its statistics, and the self-check that proves it."""
