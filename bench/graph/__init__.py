"""The ONNX graph, read."""
