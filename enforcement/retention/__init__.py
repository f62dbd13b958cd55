"""Retention: policies per site and data class, holds, erasure and its report."""
