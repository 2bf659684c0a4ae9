"""Policies: networks that output the parameters μ of an action distribution."""
