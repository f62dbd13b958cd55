"""Making the networks: data drawn and real, training, export, quantisation.

Nothing of the product imports this.
"""
