"""Benchmarks of pkmodel through its public interface, beside other simulators: ``python -m benchmarks``."""
