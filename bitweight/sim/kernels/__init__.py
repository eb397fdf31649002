"""Fast exact arithmetic behind the models."""
