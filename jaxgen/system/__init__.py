"""The machine: files written whole, locks, signals, PNG, the allocator and a faster threefry. No mathematics."""
