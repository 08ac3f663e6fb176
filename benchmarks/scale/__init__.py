"""What ten thousand servers, a million people and a hundred replicas ask for, from what one call costs here.

costs        what one of each costs on this machine, measured
fleet        how many of everything there are, and what they do
demands      rates, cores and bytes that follow
simulation   what no formula says: memories that overflow, renewals that spread, everybody at once
curves       pictures of it
page         docs/explanation/scale.md, drawn again
"""
