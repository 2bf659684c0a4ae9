"""The ledger of the paper's claims: for each a verdict by a rule that stands in the code.

A rule is a function of the stored evidence. It says in words what it asks, with the thresholds that
it uses, whether or not there is anything to ask it of.
"""
