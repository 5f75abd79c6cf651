"""What a cell's graph tells: kind, ranges and roles of values, likeness to other cells."""
