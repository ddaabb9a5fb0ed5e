"""NAS-Bench-201: cells as values, their forms, their networks."""
