"""What would have been: histories of households, replayed against settings on a simulated clock."""
