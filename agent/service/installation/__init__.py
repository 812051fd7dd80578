"""The systemd service: how it is installed, how it is doing, and what a support bundle holds.

install         a plan of steps that a person sees first, then each step done
distribution    which Vedette the service gets
machine         the computer: its commands, users and folders
status          how systemd says the service is
support_bundle  one file for those who help, without secrets
"""
