"""Designs side by side: one page of pictures, and the data behind each."""
