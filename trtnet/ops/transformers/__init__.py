"""Attention, mixtures of experts, bags of embeddings."""
