"""Simulated RDS and Aurora: every instance and cluster has a real database server; moto keeps groups and catalogues."""
