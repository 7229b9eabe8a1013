"""The statechart algorithm: pure, no clock, no chance, no input or output."""
