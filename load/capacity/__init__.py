"""Capacity: the highest rate at which the SLOs hold, found by steps that are runs of their own."""
