"""Google Cloud Run.

emulator  one that runs on this machine
"""
