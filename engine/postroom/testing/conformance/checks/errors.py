"""Checks of the family that the table calls "errors"."""
