"""Chaos: two replicas of two workers under load while everything that can break does, beside an independent record.

`make chaos`, or `python -m tests.chaos --seed 1 --minutes 2`. docs/reliability.md says how to read what it finds.
"""
