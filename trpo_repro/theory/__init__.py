"""The paper's Sections 2 and 3 and Appendices A and B, checked exactly on finite MDPs.

Everything here is linear algebra on arrays of many MDPs at once: no sampling, no networks. States
are few enough that values and visitation frequencies are solutions of linear systems.
"""
