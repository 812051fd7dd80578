"""Figures of the whole product, each from one command."""
