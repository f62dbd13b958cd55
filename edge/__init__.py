"""The edge agent: a camera by the road → captures or reads at the server, and none lost.

Imports `inference` and nothing else of ours; installed on its own as `platewarden-edge`.
"""

__version__ = "0.1.0"
