"""Google Cloud Run: for now, one that runs on this machine (`emulator`)."""
