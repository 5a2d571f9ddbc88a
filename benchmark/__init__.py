"""The harness: protocols, method registry, sampling, evaluation, run directory."""
