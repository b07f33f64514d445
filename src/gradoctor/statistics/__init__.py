"""Kernels: tensors to small float32 tensors that stay on their device."""
