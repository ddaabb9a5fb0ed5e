"""Evaluation: found networks trained from scratch. Training needs the extra ``train``.

Nothing is imported here: who only reads weights or recipes needs neither Lightning nor processes.
"""
