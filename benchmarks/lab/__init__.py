"""The proof: experiments on the measuring itself, which anyone can run again on a machine of theirs."""
