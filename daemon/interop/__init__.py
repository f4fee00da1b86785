"""What ondeckd exchanges with other programs of the house."""
