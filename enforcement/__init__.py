"""What is done with a read: rights, visits, cases, watchlists, retention."""
