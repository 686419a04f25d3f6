"""A real PostgreSQL behind simulated databases. It knows nothing of AWS."""
