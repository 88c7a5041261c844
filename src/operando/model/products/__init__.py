"""Every product that passes between rooms, one module a wing."""
