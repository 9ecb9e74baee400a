"""The pages of drift in the admin."""
