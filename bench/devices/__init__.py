"""What the published latencies of other devices say: ranks, pairs, likeness. Analysis of tables; nothing is "
"measured."""
