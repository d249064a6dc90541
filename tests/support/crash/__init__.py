"""Crash points: every durable step of the services, found in their syntax trees, and a program that dies at one."""
