"""The fault campaign: real processes under load, every class of faults, and a judge of what is left."""
