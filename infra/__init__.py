"""What Selvedge runs on: local services, storage and database adapters. No business rules."""
