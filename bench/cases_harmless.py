"""Attacks in what is said."""

from bench.cases import Case

CASES: tuple[Case, ...] = ()
