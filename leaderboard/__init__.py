"""Submissions, their validation and the static site."""
