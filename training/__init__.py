"""Making the networks: drawn and real data, training, export, quantisation. Nothing of the product imports this."""
