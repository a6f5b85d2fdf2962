"""Suspends scaling while a deployment shifts traffic."""
