"""What people look at: pages of runs and of couplings, tables in the terminal, certificates."""
