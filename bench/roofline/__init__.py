"""The roofline of a machine: attainable peak and bandwidth of one runtime, precision and thread count."""
