"""What is to be measured, and how: specs, the zoo's cards, cases, protocols with every default, targets, suites."""
